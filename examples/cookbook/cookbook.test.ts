import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseConfig } from "#consumer/config/load-config.ts";
import { createPredictor } from "#consumer/operations/rules/prediction.ts";

/** The rest of a configuration, with the extra fields that recipes name. */
const CONFIG = `version: 1
kafka:
  brokers: [kafka.example.com:9093]
  groupId: sre-kafka-consumer
  topics: [bigpanda.incidents]
  deadLetterTopic: bigpanda.incidents.dead-letter
  sasl: { username: sre-consumer, passwordSecret: scram-password }
ckms: { url: "https://ckms.example.com:4443", keyGroup: sre.keys }
incident: { paths: { extra: { flapping: flapping, group: assignment.group } } }
rules:
`;

const START_S = 1_795_564_800;
const MINUTE_MS = 60_000;

interface Given {
  readonly [field: string]: unknown;
  /** When the record is processed, in minutes after the start. Defaults to 0. */
  readonly minute?: number;
}

/** An incident, and what becomes of it: `rule/action result`, or the result alone where no action is caused. */
type Row = readonly [given: Given, ...results: readonly string[]];

const host = (name: string): Given => ({ id: name, tags: { host: name } });

const RECIPES: Readonly<Record<string, readonly Row[]>> = {
  "Restart a host, at most once in ten minutes": [
    [host("web-1"), "restart-host/restart send"],
    [{ id: "other", tags: { host: "web-1" }, minute: 9 }, "restart-host/restart suppressed"],
    [{ ...host("web-2"), minute: 9 }, "restart-host/restart send"],
    [{ id: "third", tags: { host: "web-1" }, minute: 10 }, "restart-host/restart send"],
    [{ id: "none", tags: {} }, "unmatched"],
    [{ id: "two", tags: { host: ["web-3", "web-4"] } }, "restart-host/restart rejected"],
    [{ ...host("web-5"), status: "ok" }, "unmatched"],
  ],
  "One ticket for each episode": [
    [{}, "ticket/open send"],
    [{ title: "changed" }, "ticket/open duplicate"],
    [{ status: "ok" }, "unmatched"],
    [{ minute: 30 }, "ticket/open duplicate"],
    [{ started_on: START_S + 3600, minute: 60, title: null }, "ticket/open send"],
  ],
  "A note on every change of the status": [
    [{}, "note/timeline send"],
    [{ status: "ok" }, "note/timeline send"],
    [{ status: "ok", severity: null }, "note/timeline duplicate"],
    [{ status: "warning", environment: null, tags: {} }, "note/timeline send"],
  ],
  "Only in one business environment": [
    [{ environment: "trading" }, "page-trading/page send"],
    [{ id: "both", environment: ["trading", "payments"] }, "page-trading/page send"],
    [{ id: "staging", environment: ["trading", "staging"] }, "unmatched"],
    [{ id: "other", environment: "payments" }, "unmatched"],
    [{ id: "none", environment: null }, "unmatched"],
  ],
  "All hosts but the canary": [
    [{ tags: { service: "web" } }, "restart-web/restart send"],
    [{ id: "standby", tags: { service: "web", role: "standby" } }, "restart-web/restart send"],
    [{ id: "canary", tags: { service: "web", role: "canary" } }, "unmatched"],
    [{ id: "both", tags: { service: "web", role: ["standby", "canary"] } }, "unmatched"],
  ],
  "Restart first, and page when that was not enough": [
    [{ flapping: false }, "restart-first/restart send"],
    [{ flapping: true, minute: 10 }, "page-when-flapping/page send"],
    [{ flapping: true, minute: 20 }, "page-when-flapping/page duplicate"],
    [
      { flapping: true, minute: 30, started_on: START_S + 1200 },
      "page-when-flapping/page suppressed",
    ],
  ],
  "Only with a title that matches a pattern": [
    [{ title: "Disk /var is 93% full", tags: { host: "db-1" } }, "clean-disk/clean send"],
    [
      { id: "loud", title: "DISK /VAR IS 80% FULL", tags: { host: "db-2" } },
      "clean-disk/clean send",
    ],
    [{ id: "half", title: "Disk /var is 50% full", tags: { host: "db-1" } }, "unmatched"],
    [{ id: "part", title: "Alert: disk /var is 93% full", tags: { host: "db-1" } }, "unmatched"],
    [{ id: "none", title: null, tags: { host: "db-1" } }, "unmatched"],
  ],
  "Route by an extra field": [
    [{ assignment: { group: "web team" } }, "queue/enqueue send"],
    [{ id: "none" }, "queue/enqueue send"],
    [{ id: "slash", assignment: { group: "a/b" } }, "queue/enqueue rejected"],
  ],
  "A dry run beside the live rule": [
    [{ tags: { service: "api" } }, "restart-api/restart send", "restart-api-next/restart dry-run"],
    [{ status: "warning", tags: { service: "api-2" } }, "restart-api-next/restart dry-run"],
    [{ id: "other", tags: { service: "web" } }, "unmatched"],
  ],
  "A command with values as arguments": [
    [host("web-1"), "drain/drain send"],
    [{ ...host("web-$(reboot)"), title: "$(reboot)" }, "drain/drain send"],
    [host("db-1"), "unmatched"],
  ],
  "Once, although the source moves the start": [
    [{}, "restart-once/restart send"],
    [{ started_on: START_S - 600, minute: 5 }, "restart-once/restart suppressed"],
    [{ started_on: START_S + 1200, minute: 20 }, "restart-once/restart send"],
  ],
};

test("the cookbook of docs/rules.md has a row here for each of its recipes", async () => {
  expect(Array.from(await recipes(), ([title]) => title)).toEqual(Object.keys(RECIPES));
});

test.each(Object.entries(RECIPES))("%s", async (title, rows) => {
  const config = await configOf(title);
  const predictor = createPredictor({ config });
  const found = rows.map(([given]) =>
    predictor
      .predict(recordOf(given))
      .map(({ rule, action, result }) =>
        rule === null ? result : `${rule}/${String(action)} ${result}`,
      ),
  );
  expect(found).toEqual(rows.map(([, ...results]) => results));
  expect(predictor.unmatchedRules()).toEqual([]);
});

test.each([
  [
    "Restart a host, at most once in ten minutes",
    host("web-1"),
    { url: url("hosts/web-1/restart") },
  ],
  [
    "One ticket for each episode",
    { title: 'a "quoted" title' },
    { body: expect.stringContaining('"summary":"a \\"quoted\\" title"') },
  ],
  [
    "Route by an extra field",
    { assignment: { group: "web team" } },
    { url: "https://tickets.example.com/queues/web%20team/tickets" },
  ],
  ["Route by an extra field", {}, { url: "https://tickets.example.com/queues/unassigned/tickets" }],
  [
    "A command with values as arguments",
    { ...host("web-$(reboot)"), title: null },
    {
      command: ["/opt/tools/drain", "--reason", "incident", "--", "web-$(reboot)"],
      environment: { TITLE: "no title" },
    },
  ],
])("%s sends what it says", async (title, given, request) => {
  const predictor = createPredictor({ config: await configOf(title) });
  expect(predictor.predict(recordOf(given))[0]?.request).toMatchObject(request);
});

function url(path: string): string {
  return `https://automation.example.com/v1/${path}`;
}

/** Returns the recipes of the cookbook by their titles: each is one block of YAML, a list of rules. */
async function recipes(): Promise<ReadonlyMap<string, string>> {
  const document = await readFile(new URL("../../docs/rules.md", import.meta.url), "utf8");
  const [, cookbook = ""] = document.split("\n## Cookbook\n");
  const sections = cookbook.split("\n### ").slice(1);
  return new Map(
    sections.map((section) => {
      const [, rules = ""] = /```yaml\n([^]*?)```/.exec(section) ?? [];
      return [section.slice(0, section.indexOf("\n")), rules];
    }),
  );
}

async function configOf(title: string) {
  const rules = (await recipes()).get(title) ?? "";
  return parseConfig(CONFIG + rules.replaceAll(/^(?=.)/gm, "  "), "docs/rules.md");
}

function recordOf({ minute = 0, ...given }: Given) {
  const incident = {
    id: "653989e52d00001901350001",
    status: "critical",
    severity: "critical",
    title: "3 hosts not reachable",
    environment: "production",
    started_on: START_S,
    tags: { service: "web" },
    ...given,
  };
  const timestampMs = START_S * 1000 + minute * MINUTE_MS;
  return { place: "inline", value: Buffer.from(JSON.stringify(incident)), timestampMs };
}
