import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { preflight } from "./preflight.ts";

const REPOSITORY = join(import.meta.dirname, "..");

/** A copy of what preflight reads, with one file changed. */
async function changed(path: string, change: (text: string) => string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-preflight-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const part of ["deploy_target", "config"]) {
    await cp(join(REPOSITORY, part), join(directory, part), { recursive: true });
  }
  const text = await readFile(join(directory, path), "utf8");
  await writeFile(join(directory, path), change(text));
  return directory;
}

const errors = async (repository?: string): Promise<string[]> =>
  (await preflight(repository))
    .filter(({ severity }) => severity === "error")
    .map(({ place, rule }) => `${place}: ${rule}`);

test("this repository has no errors, and warns of what the guide prescribes", async () => {
  expect(await errors()).toEqual([]);
  expect(await preflight()).toContainEqual(
    expect.objectContaining({ severity: "warning", rule: "namespace-not-legal" }),
  );
});

test("a grace that preStop uses up is an error in both jobs", async () => {
  const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
    text.replace("terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 30"),
  );
  expect(await errors(repository)).toEqual([
    "component: grace-too-short",
    "deploy-production: grace-too-short",
  ]);
});

test("a configuration that the consumer refuses is an error of its job", async () => {
  const repository = await changed(
    "config/development-config.yaml",
    (text) => `${text}\ntypo: 1\n`,
  );
  expect(await errors(repository)).toEqual(["component: bad-configuration"]);
});

test("what cannot be read is one error for both jobs, with the value, and hides no acknowledgement", async () => {
  const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
    text.replace(/^template: .*$/m, "template: 7"),
  );
  expect(await errors(repository)).toEqual(["component, deploy-production: unreadable"]);
  const [finding] = await preflight(repository);
  expect(finding?.message).toMatch(/^omega\.yaml: template: .*, got 7$/);
});

test("a job that cannot be read does not keep the other from being judged", async () => {
  const repository = await changed("config/development-config.yaml", (text) => text);
  await rm(join(repository, "deploy_target/pvc-nonprod.yaml"));
  expect(await errors(repository)).toEqual(["component: unreadable"]);
  expect(await preflight(repository)).toContainEqual(
    expect.objectContaining({ severity: "warning", place: "deploy-production" }),
  );
});
