import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseConfig } from "#consumer/config/load-config.ts";
import type { Config } from "#consumer/config/load-config.ts";
import { configurationText } from "#fixtures/configurations.ts";
import { durationsOf } from "#e2e/base/durations.ts";
import { rewriteConfiguration } from "./rewrite-configuration.ts";
import type { Surroundings } from "./rewrite-configuration.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");
const FILES = [
  "config/development-config.yaml",
  "config/production-config.yaml",
  "e2e/scenarios/configuration/several-rules.yaml",
];
const SURROUNDINGS: Surroundings = {
  brokers: ["127.0.0.1:1111"],
  names: { topic: "t", deadLetterTopic: "d", group: "g", username: "u" },
  ckmsUrl: "https://127.0.0.1:2222",
  identityUrl: "https://127.0.0.1:3333",
  plainUrl: "http://127.0.0.1:4444",
  durations: durationsOf(false, "local").consumer,
  actionDeadlineMsMin: 15_000,
};

const read = (file: string): Promise<string> => readFile(join(REPOSITORY, file), "utf8");

/** Loads the rewritten configuration as a pod does. */
async function rewritten(file: string, change: Partial<Surroundings> = {}): Promise<Config> {
  const document = rewriteConfiguration(await read(file), { ...SURROUNDINGS, ...change });
  return parseConfig(configurationText(document), file);
}

/** Returns the rules without what is replaced. */
function bareRules({ rules }: Config) {
  return rules.map(({ actions, ...rule }) => [
    rule,
    ...actions.map((action) => {
      if (action.type === "command") {
        return Object.assign({}, action, { command: [], deadlineMs: 0 });
      }
      return Object.assign({}, action, { url: "", insecure: false, deadlineMs: 0 });
    }),
  ]);
}

test.each(FILES)("%s is accepted by the loader, and keeps its rules", async (file) => {
  const before = parseConfig(await read(file), file);
  const after = await rewritten(file);
  expect(bareRules(after)).toEqual(bareRules(before));
  expect(after.incident).toEqual(before.incident);
  expect(after.execution.eventAgeMsMax).toBe(before.execution.eventAgeMsMax);
});

test.each(FILES)("%s has no address and no program of its own any more", async (file) => {
  const { kafka, ckms, rules } = await rewritten(file);
  expect(kafka).toMatchObject({ brokers: SURROUNDINGS.brokers, groupId: "g", topics: ["t"] });
  expect(kafka).toMatchObject({ deadLetterTopic: "d", sasl: { username: "u" }, tls: true });
  expect(ckms.url).toBe(SURROUNDINGS.ckmsUrl);
  const places = rules.flatMap(({ actions }) =>
    actions.map((action) => {
      if (action.type === "command") return action.command[0];
      const endpoint = action.useIdentity ? SURROUNDINGS.identityUrl : SURROUNDINGS.plainUrl;
      const isReplaced = action.url.startsWith(`${endpoint}/origin/`);
      return isReplaced && action.insecure === !action.useIdentity ? "endpoint" : action.url;
    }),
  );
  expect(new Set(places).difference(new Set(["endpoint", "/bin/sh"]))).toEqual(new Set());
});

test("an origin becomes a path of the endpoint, and the placeholders behind it stay", async () => {
  const { rules } = await rewritten("e2e/scenarios/configuration/several-rules.yaml");
  const urls = rules.flatMap(({ actions }) =>
    actions.flatMap((action) => (action.type === "http" ? [action.url] : [])),
  );
  expect(urls.slice(0, 2)).toEqual([
    "https://127.0.0.1:3333/origin/https/automation.example.com" +
      "/v1/hosts/{{incident.tags.host}}/restart?reason={{incident.title}}",
    "http://127.0.0.1:4444/origin/https/timeline.example.com:8443/notes/{{key}}",
  ]);
});

test("a command stands behind the recorder as it was", async () => {
  const { rules } = await rewritten("e2e/scenarios/configuration/several-rules.yaml");
  const page = rules[0]?.actions[2];
  expect(page?.type === "command" && page.command.slice(4)).toEqual([
    "http://127.0.0.1:4444/command",
    "/opt/runbooks/page",
    "--severity",
    "{{incident.severity}}",
    "--",
    "{{incident.title}}",
  ]);
});

test("short durations replace those of the file, and deadlines are raised", async () => {
  const short = await rewritten("config/production-config.yaml", { orphanWaitMs: 700 });
  expect(short.execution).toMatchObject({
    actionDeadlineMs: 15_000,
    drainMs: SURROUNDINGS.durations?.drainMs,
    orphanWaitMs: 700,
  });
  expect(short.kafka.sessionTimeoutMs).toBe(SURROUNDINGS.durations?.sessionTimeoutMs);
  const [restart, ticket] = short.rules[0]?.actions ?? [];
  expect([restart?.deadlineMs, ticket?.deadlineMs]).toEqual([20_000, 15_000]);
  const slow = await rewritten("config/production-config.yaml", { actionDeadlineMsMin: 25_000 });
  expect(slow.rules[0]?.actions[0]?.deadlineMs).toBe(25_000);
});

test("in real time the durations of the file stay", async () => {
  const real = await rewritten("config/production-config.yaml", { durations: null });
  expect(real.kafka.sessionTimeoutMs).toBe(30_000);
  expect(real.execution.drainMs).toBe(45_000);
});

test.each([
  ["debug", "debug"],
  ["error", "info"],
])("the log level %s becomes %s, since the checkers read the log", async (given, level) => {
  const text = `${await read("config/production-config.yaml")}\nlog: { level: ${given} }\n`;
  expect(rewriteConfiguration(text, SURROUNDINGS)["log"]).toEqual({ level });
});
