import { expect, test } from "vitest";
import { rerunCommand } from "./rerun-command.ts";
import type { ScenarioResult } from "./run-scenarios.ts";

const chosen: Parameters<typeof rerunCommand>[0] = {
  seed: 7,
  scenarios: [],
  jobs: 3,
  realTime: false,
  compare: null,
  target: "local",
  broker: { kind: "embedded" },
  kind: { cluster: null, engine: null, nodeImage: null, baseImage: null, image: null },
  kubernetes: null,
};
const resultOf = (number: number, status: ScenarioResult["status"]): ScenarioResult => ({
  scenario: { number, name: `n-${number}`, title: "It holds.", run: async () => {} },
  status,
  durationMs: 1,
});
const results = (...statuses: ScenarioResult["status"][]): ScenarioResult[] =>
  statuses.map((status, index) => resultOf(index + 1, status));

test("repeats the comparison with the other run", () => {
  expect(rerunCommand({ ...chosen, compare: "a" }, results("failed"))).toBe(
    "npm run e2e -- --seed 7 --jobs 3 --compare a",
  );
});

test("selects failed and unfinished scenarios, but not passed ones", () => {
  expect(rerunCommand(chosen, results("passed", "failed", "interrupted"))).toBe(
    "npm run e2e -- --seed 7 --scenario 2 --scenario 3 --jobs 3",
  );
});

test("repeats the original selection when all scenarios passed or none did", () => {
  const again = "npm run e2e -- --seed 7 --jobs 3";
  expect(rerunCommand(chosen, results("passed", "passed"))).toBe(again);
  expect(rerunCommand(chosen, results("failed", "interrupted"))).toBe(again);
});

const again = (broker: typeof chosen.broker): string =>
  rerunCommand({ ...chosen, broker }, results("passed"));

test("repeats the options of the broker, but never a password", () => {
  const external = {
    kind: "external" as const,
    bootstrap: ["a:1", "b:2"],
    caFile: "ca.pem",
    mechanism: "scram-sha-512" as const,
    user: "u",
    password: { file: "secret" },
  };
  expect(again({ kind: "kafka", image: "mine:1" })).toBe(
    "npm run e2e -- --seed 7 --jobs 3 --broker kafka --broker-image mine:1",
  );
  expect(again(external)).toBe(
    "npm run e2e -- --seed 7 --jobs 3 --broker external --bootstrap a:1 --bootstrap b:2 " +
      "--broker-ca ca.pem --broker-user u --broker-password-file secret",
  );
});

test("repeats the configuration by its file, and its scenario by no number", () => {
  const configuration = { file: "c.yaml", incidents: ["i"], job: "component" as const };
  const command = "npm run e2e -- --seed 7 --config c.yaml --incidents i --job component";
  const own = resultOf(0, "passed");
  const repeated = (...played: ScenarioResult[]) =>
    rerunCommand({ ...chosen, configuration }, played);
  expect(repeated(own)).toBe(`${command} --jobs 3`);
  expect(repeated(own, ...results("failed"))).toBe(`${command} --scenario 1 --jobs 3`);
  expect(repeated(resultOf(0, "failed"), ...results("passed"))).toBe(`${command} --jobs 3`);
});

test("repeats the options of the cluster", () => {
  const kind = { ...chosen.kind, cluster: "mine", nodeImage: "localhost/node:1" };
  expect(rerunCommand({ ...chosen, target: "kind", kind }, results("passed"))).toBe(
    "npm run e2e -- --seed 7 --jobs 3 --target kind --cluster mine --node-image localhost/node:1",
  );
});
