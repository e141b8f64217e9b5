import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "#consumer/config/load-config.ts";
import { runRules } from "#consumer/operations/rules/rules-command.ts";
import { decode } from "#consumer/planning/decode.ts";
import { match } from "#consumer/planning/plan.ts";

const inFolder = (name: string): string => join(import.meta.dirname, name);

/** Loads the configuration, decodes the incident and plans its actions, all with the code that runs in production. */
async function plan(change: Readonly<Record<string, unknown>> = {}) {
  const config = await loadConfig(inFolder("config.yaml"));
  const incident = JSON.parse(await readFile(inFolder("incident.json"), "utf8"));
  const value = Buffer.from(JSON.stringify({ ...incident, ...change }));
  const decoded = decode({ value }, config.incident);
  if (decoded.kind !== "incident") throw new Error(`the incident is ${decoded.kind}`);
  return match(decoded.incident, config.rules, config.execution).map((action) => action.plan());
}

test("a critical incident of the service web in production opens one ticket", async () => {
  const actions = await plan();
  expect(actions).toHaveLength(1);
  expect(actions[0]).toMatchObject({
    rule: "ticket-for-web",
    action: "open-ticket",
    spec: {
      method: "POST",
      url: "https://tickets.example.com/api/issues?service=web",
      body: expect.stringContaining('"summary":"Service web: 3 hosts not reachable"'),
    },
  });
});

test("an incident of another environment opens none", async () => {
  expect(await plan({ environment: "staging" })).toEqual([]);
});

test("the same incident gets the same key, and its next episode another one", async () => {
  const [first] = await plan();
  const [again] = await plan();
  const [reopened] = await plan({ started_on: 1_795_570_000 });
  expect(again?.key).toBe(first?.key);
  expect(reopened?.key).not.toBe(first?.key);
});

test("the expectations file holds", async () => {
  const lines: string[] = [];
  const exitCode = await runRules(
    [
      "rules",
      "test",
      "--config",
      inFolder("config.yaml"),
      "--expect",
      inFolder("expectations.yaml"),
    ],
    { environment: {}, print: (line) => lines.push(line), stop: new AbortController().signal },
  );
  expect({ exitCode, lines }).toEqual({
    exitCode: 0,
    lines: ["1 test, 0 failed, 0 rules without a match"],
  });
});
