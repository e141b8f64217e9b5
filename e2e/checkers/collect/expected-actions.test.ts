import { NAMES, configuration } from "#fixtures/configurations.ts";
import { expect, test } from "vitest";
import { durationsOf } from "#e2e/base/durations.ts";
import { createIncident } from "#e2e/deployment/incidents.ts";
import { seededRandom } from "#e2e/base/random.ts";
import { expectedActions } from "./expected-actions.ts";

const DOCUMENT = configuration({
  brokers: ["127.0.0.1:1"],
  ckmsUrl: "https://127.0.0.1:1",
  actionUrl: "http://127.0.0.1:1",
  useIdentity: false,
  durations: durationsOf(false, "local").consumer,
});

const rule = (name: string, tags: Record<string, string[]>, actions: object[]) => ({
  name,
  match: { tags },
  actions,
});

test("a matched incident has the action of its rule, with what the consumer takes by default", () => {
  const { id, value } = createIncident(seededRandom(1, "test"));
  const startedOnMs = JSON.parse(value).started_on * 1000;
  expect(expectedActions(DOCUMENT, value)).toEqual([
    {
      rule: NAMES.rule,
      action: NAMES.action,
      incident: id,
      transition: "active",
      startedOnMs,
      idempotent: false,
      attemptsMax: 3,
    },
  ]);
});

test("an incident that no rule matches has none", () => {
  const { value } = createIncident(seededRandom(1, "test"), "warning");
  expect(expectedActions(DOCUMENT, value)).toEqual([]);
});

test("every action of every rule whose tags match, in order", () => {
  const { value } = createIncident(seededRandom(1, "test"));
  const rules = [
    rule("web", { service: ["db", "web"] }, [
      { name: "first", idempotent: true, attemptsMax: 5 },
      { name: "second" },
    ]),
    rule("db", { service: ["db"] }, [{ name: "never" }]),
    rule("absent", { kind: ["x"] }, [{ name: "never" }]),
    { name: "all", match: {}, actions: [{ name: "third" }] },
  ];
  const planned = expectedActions({ rules }, value);
  expect(planned.map(({ rule: name, action }) => `${name}/${action}`)).toEqual([
    "web/first",
    "web/second",
    "all/third",
  ]);
  expect(planned[0]).toMatchObject({ idempotent: true, attemptsMax: 5 });
});

test("a match of another form is refused, not passed over", () => {
  const { value } = createIncident(seededRandom(1, "test"));
  const rules = [{ name: "r", match: { priority: ["p1"] }, actions: [] }];
  expect(() => expectedActions({ rules }, value)).toThrow("priority");
});
