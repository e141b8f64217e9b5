import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { UsageError } from "#e2e/errors.ts";
import { userScenario } from "./user-configuration.ts";

const SHIPPED = "config/production-config.yaml";
const INCIDENTS = ["fixtures/incidents/webhook"];

test("the scenario names the file and the job", async () => {
  const job = "deploy-production";
  expect(await userScenario({ file: SHIPPED, incidents: INCIDENTS, job })).toMatchObject({
    number: 0,
    title: `The configuration ${SHIPPED}, deployed as ${job}, does exactly what rules test predicts.`,
  });
});

test("a wrong file is one message with every fault", async () => {
  const directory = await mkdtemp(join(tmpdir(), "user-configuration-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "config.yaml");
  const shipped = await readFile(SHIPPED, "utf8");
  await writeFile(file, shipped.replace("version: 1", "version: 2").replace("groupId:", "group:"));
  const refused = userScenario({ file, incidents: INCIDENTS, job: "component" });
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(new RegExp(`^${file} has 3 faults:\n[^]*version[^]*group`));
});

test("more records than the kit plays are refused", async () => {
  const directory = await mkdtemp(join(tmpdir(), "user-configuration-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "incidents.ndjson");
  await writeFile(file, '{"id":"a"}\n'.repeat(1001));
  const refused = userScenario({ file: SHIPPED, incidents: [file], job: "component" });
  await expect(refused).rejects.toThrow("the kit plays at most 1000, got 1001 records");
});

test.each([
  ["no-such-file.yaml", INCIDENTS, "no-such-file.yaml"],
  [SHIPPED, ["no-such-file.json"], "--incidents no-such-file.json"],
])("the file %s with the incidents %j is refused", async (file, incidents, message) => {
  const refused = userScenario({ file, incidents, job: "component" });
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(message);
});
