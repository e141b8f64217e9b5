import { expect, test } from "vitest";
import { parseConfig } from "#consumer/config/load-config.ts";
import { createPredictor } from "#consumer/operations/rules/prediction.ts";
import type { Prediction } from "#consumer/operations/rules/prediction.ts";
import { anIncident } from "#fixtures/incidents.ts";
import type { Effect } from "#simulator/action-endpoint/ledger.ts";
import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import { plannedActions, PredictedLedger } from "./predicted-ledger.ts";

const CONFIG = parseConfig(
  `
version: 1
kafka:
  brokers: [kafka:9093]
  groupId: g
  topics: [t]
  deadLetterTopic: d
  sasl: { username: u, passwordSecret: s }
ckms: { url: "https://ckms:4443", keyGroup: k }
rules:
  - name: restart
    actions:
      - name: web
        type: http
        url: https://Automation.example.com:443/v1/{{incident.id}}?a=1
        useIdentity: true
        body: '{"id":"{{incident.id}}"}'
      - { name: note, type: http, method: GET, url: "http://127.0.0.1:8080", idempotent: true, attemptsMax: 5 }
      - name: run
        type: command
        command: [/opt/run, "{{incident.status}}"]
        environment: { TEAM: sre }
  - name: tried
    mode: dry-run
    actions: [{ name: delete, type: http, url: "https://a.example.com/{{incident.title}}" }]
`,
  "config.yaml",
);

const PRINCIPAL = "sre.consumer";

const value = new TextEncoder().encode(JSON.stringify(anIncident()));

function predict(): Prediction[] {
  const timestampMs = anIncident().started_on * 1000;
  return createPredictor({ config: CONFIG }).predict({ place: "1", value, timestampMs });
}

/** The effects that a faithful consumer causes. */
function faithfulEffects(): Effect[] {
  const common = { traceId: null, parentId: null, bodyDigest: "", arrivedAtMs: 0, appliedAtMs: 0 };
  const { id, status } = anIncident();
  const parts = [
    {
      method: "POST",
      origin: "https://automation.example.com",
      path: `/v1/${id}?a=1`,
      body: JSON.stringify({ id }),
      principal: PRINCIPAL,
    },
    { method: "GET", origin: "http://127.0.0.1:8080", path: "/", body: "", principal: null },
    {
      method: "POST",
      origin: null,
      path: "/command",
      body: JSON.stringify({
        argv: ["/opt/run", status],
        variables: ["IDEMPOTENCY_KEY", "PATH", "TEAM", "TRACEPARENT"],
      }),
      principal: null,
    },
  ];
  const keys = predict().map(({ key }) => key);
  return parts.map((part, index) =>
    Object.assign({}, common, part, { sequence: index + 1, key: keys[index] ?? null }),
  );
}

function differences(effects: readonly Effect[]): string[] {
  const ledger = new PredictedLedger(PRINCIPAL);
  ledger.add(predict());
  return ledger.differences(effects);
}

function changed(index: number, change: Partial<Effect>): Effect[] {
  return faithfulEffects().map((effect, at) =>
    at === index ? Object.assign({}, effect, change) : effect,
  );
}

test("a ledger that shows each predicted action once is as predicted", () => {
  expect(differences(faithfulEffects())).toEqual([]);
});

const { id } = anIncident();
const NAME = `restart/web of incident ${id}`;

test.each([
  ["an action is missing", faithfulEffects().slice(1), `${NAME}: predicted and not in the ledger`],
  [
    "an action is there twice",
    [...faithfulEffects(), ...faithfulEffects().slice(0, 1)],
    `${NAME}: 2 times in the ledger`,
  ],
  ["the key is another one", changed(0, { key: "f".repeat(64) }), "not predicted: method POST"],
  ["a key is missing", [...faithfulEffects(), ...changed(0, { key: null }).slice(0, 1)], "not pre"],
  [
    "the method is another one",
    changed(0, { method: "PUT" }),
    "method was predicted as POST, got PUT",
  ],
  ["the origin is another one", changed(0, { origin: "https://other" }), "got https://other/v1"],
  [
    "the query is missing",
    changed(0, { path: `/v1/${id}` }),
    `got https://automation.example.com/v1/${id}`,
  ],
  [
    "the body is another one",
    changed(0, { body: "{}" }),
    `body was predicted as {"id":"${id}"}, got {}`,
  ],
  [
    "the identity is missing",
    changed(0, { principal: null }),
    `principal was predicted as ${PRINCIPAL}, got none`,
  ],
  ["the identity is shown to others", changed(1, { principal: PRINCIPAL }), "restart/note"],
  [
    "a command has another argument",
    changed(2, { body: '{"argv":["/opt/run","ok"],"variables":[]}' }),
    'got ["/opt/run","ok"]; variables was predicted as IDEMPOTENCY_KEY PATH TEAM TRACEPARENT, got ""',
  ],
])("finds that %s", (_what, effects, finding) => {
  const found = differences(effects);
  expect(found.length).toBeGreaterThan(0);
  expect(found.join("\n")).toContain(finding);
});

test("a dry run that had an effect is not predicted", () => {
  const key = predict()[3]?.key ?? null;
  const [first] = faithfulEffects();
  if (first === undefined) throw new Error("there is no effect");
  expect(differences([...faithfulEffects(), { ...first, key }])).toEqual([
    expect.stringContaining("not predicted"),
  ]);
});

test("an action may be done as either configuration says, and only once", () => {
  const other = predict().slice(0, 1);
  const request = other[0]?.request;
  if (request?.type === "http") Object.assign(request, { method: "PUT" });
  const ledger = new PredictedLedger(PRINCIPAL);
  ledger.add(predict());
  ledger.add(other);
  expect(ledger.size).toBe(3);
  expect(ledger.differences(faithfulEffects())).toEqual([]);
  expect(ledger.differences(changed(0, { method: "PUT" }))).toEqual([]);
  expect(ledger.differences(changed(0, { method: "PATCH" }))).toHaveLength(1);
  const twice = [...faithfulEffects(), ...changed(0, { method: "PUT" }).slice(0, 1)];
  expect(ledger.differences(twice)).toEqual([`${NAME}: 2 times in the ledger`]);
});

test("every planned action must end, a dry run under its own key", () => {
  const keys = plannedActions(predict(), CONFIG).map((action) => actionKeyOf(action));
  expect(keys).toEqual(predict().map(({ key }) => key));
  expect(plannedActions(predict(), CONFIG)).toEqual([
    { rule: "restart", action: "web", idempotent: false, attemptsMax: 3, ...episode() },
    { rule: "restart", action: "note", idempotent: true, attemptsMax: 5, ...episode() },
    { rule: "restart", action: "run", idempotent: false, attemptsMax: 3, ...episode() },
    {
      rule: "tried",
      action: "delete",
      idempotent: false,
      attemptsMax: 3,
      dryRun: true,
      ...episode(),
    },
  ]);
});

function episode() {
  const { status, started_on: startedOnSeconds } = anIncident();
  return { incident: id, transition: status, startedOnMs: startedOnSeconds * 1000 };
}
