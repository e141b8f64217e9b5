import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSimulator } from "#simulator/process/simulator-process.ts";
import { startAthenz } from "./server.ts";
import type { RunningAthenz } from "./server.ts";

const DOMAIN = "sre.tooling";
const ROLE = "paranoids.ppse.ckms.ykeykey_aws.res_group.bigpanda.keys.sre.access";
const MEMBER = "sre.kafka-consumer-nonprod-k8s.kafka-consumer";

let athenz: RunningAthenz;
let directory: string;

beforeAll(async () => {
  athenz = await startAthenz();
  directory = await mkdtemp(join(tmpdir(), "zms-cli-"));
  await writeFile(join(directory, "ca.pem"), athenz.authority.certificatePem);
});

afterAll(async () => {
  await athenz[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const cli = async (...argv: string[]) => {
  const settings = ["--url", athenz.url, "-c", join(directory, "ca.pem")];
  await using run = startSimulator(["zms-cli", "-d", DOMAIN, ...argv, ...settings]);
  return { ...(await run.ended), stdout: run.stdout(), stderr: run.stderr() };
};

describe("zms-cli", () => {
  test.each(["add-member", "add-role-member"])("%s adds the member", async (subcommand) => {
    athenz.zms.putRole(DOMAIN, ROLE);
    expect(await cli(subcommand, ROLE, MEMBER)).toMatchObject({
      code: 0,
      stdout: `[Added to ${ROLE}: ${MEMBER}]\n`,
    });
    expect(athenz.zms.isMember(DOMAIN, ROLE, MEMBER)).toBe(true);
    const shown = await cli("show-role", ROLE);
    expect(shown.stdout).toContain(`- name: ${DOMAIN}:role.${ROLE}`);
    expect(shown.stdout).toContain(`- ${MEMBER}`);
    expect(await cli("delete-member", ROLE, MEMBER)).toMatchObject({ code: 0 });
    expect(athenz.zms.isMember(DOMAIN, ROLE, MEMBER)).toBe(false);
  });

  test("ends with 1 and the error of ZMS when the role is unknown", async () => {
    const ended = await cli("add-member", "nope", MEMBER);
    expect(ended).toMatchObject({ code: 1 });
    expect(ended.stdout).toContain("code: 404\nmessage: unknown role sre.tooling:role.nope");
  });

  test.each([[[]], [["frobnicate", ROLE]], [["add-member", ROLE]]])(
    "ends with 2 for %j",
    async (argv) => {
      expect((await cli(...argv)).code).toBe(2);
    },
  );
});
