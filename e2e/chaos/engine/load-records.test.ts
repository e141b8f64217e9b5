import { expect, test } from "vitest";
import { configuration } from "#fixtures/configurations.ts";
import { expectedActions } from "#e2e/checkers/collect/expected-actions.ts";
import { durationsOf } from "#e2e/base/durations.ts";
import { seededRandom } from "#e2e/base/random.ts";
import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";
import type { LoadPlan } from "#e2e/chaos/schedule.ts";
import { withChaosRules } from "./chaos-rules.ts";
import { LoadRecords } from "./load-records.ts";
import type { LoadRecord } from "./load-records.ts";

const DOCUMENT = withChaosRules(
  configuration({
    brokers: ["127.0.0.1:1"],
    ckmsUrl: "https://127.0.0.1:1",
    actionUrl: "http://127.0.0.1:1",
    useIdentity: false,
    durations: durationsOf(false, "local").consumer,
  }),
);

/** Returns the first records of a load. */
function records(count: number, plan: Partial<LoadPlan> = {}): LoadRecord[] {
  const load = new LoadRecords({ ...DEFAULT_LOAD, ...plan }, seededRandom(1, "load"), () => 5000);
  return Array.from({ length: count }, () => load.next());
}

const planned = (record: LoadRecord): string[] =>
  expectedActions(DOCUMENT, record.value).map(({ rule, action }) => `${rule}/${action}`);

test("every incident of the load has the actions of its kind", () => {
  const found = records(100, { poisonShare: 0, idempotentShare: 0.5 }).map((record) =>
    planned(record).join(" "),
  );
  expect(new Set(found)).toEqual(
    new Set(["ticket/open", "restart/restart", "drain/drain drain/notify"]),
  );
});

test("a load without idempotent actions has none that may be sent twice", () => {
  const values = records(100, { poisonShare: 0, idempotentShare: 0 }).map(({ value }) => value);
  const actions = values.flatMap((value) => expectedActions(DOCUMENT, value));
  expect(actions.filter(({ idempotent }) => idempotent)).toEqual([]);
});

test("a record without an incident cannot be decoded", () => {
  const [record] = records(1, { poisonShare: 1, repeatShare: 0, reopenShare: 0 });
  expect(record!.id).toBeNull();
  expect(() => JSON.parse(record!.value)).toThrow(SyntaxError);
});

test("an incident that is reopened in the same second starts later than before", () => {
  const values = records(60, { poisonShare: 0, repeatShare: 0, reopenShare: 0.9 });
  const starts = values
    .filter(({ id }) => id === values[0]!.id)
    .map(({ value }) => JSON.parse(value))
    .map(({ status, started_on: startedOn }) => `${status} ${startedOn}`);
  expect(starts.slice(0, 3)).toEqual(["active 5", "resolved 5", "active 6"]);
});
