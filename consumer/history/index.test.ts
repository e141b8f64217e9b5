import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ATTEMPT_OUTCOMES, type HistoryEntry } from "./entry.ts";
import { createHistoryIndex } from "./index.ts";

const ENTRY: HistoryEntry = {
  key: "k",
  rule: "r",
  action: "a",
  incidentId: "i",
  transition: "active",
  startedOnMs: 1,
  attempt: 1,
  outcome: "in-doubt",
  atMs: 10,
  pod: "p",
  deadLetterAcknowledged: false,
};

const entry: fc.Arbitrary<HistoryEntry> = fc
  .record({
    key: fc.constantFrom("k", "l"),
    attempt: fc.integer({ min: 1, max: 3 }),
    outcome: fc.constantFrom(...ATTEMPT_OUTCOMES),
    atMs: fc.nat(3),
    pod: fc.constantFrom("p", "q"),
    deadLetterAcknowledged: fc.boolean(),
  })
  .map((fields) => Object.assign({}, ENTRY, fields));

function merged(entries: readonly HistoryEntry[]): unknown {
  const index = createHistoryIndex();
  for (const added of entries) index.merge(added);
  return [...index.entries()].toSorted((one, other) => one.key.localeCompare(other.key));
}

test("merging is idempotent and independent of order", () => {
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 8 }),
      fc.infiniteStream(fc.nat()),
      (entries, order) => {
        const shuffled = entries
          .map((value) => ({ value, rank: order.next().value }))
          .toSorted((one, other) => one.rank - other.rank)
          .map(({ value }) => value);
        expect(merged(shuffled)).toEqual(merged(entries));
        expect(merged([...entries, ...shuffled])).toEqual(merged(entries));
      },
    ),
  );
});

test("it answers done, and another end only when its dead letter was acknowledged", () => {
  const index = createHistoryIndex();
  expect(index.settled("k")).toBeUndefined();
  for (const outcome of ["in-doubt", "rejected", "failed-not-applied"] as const) {
    index.merge({ ...ENTRY, outcome });
    expect(index.settled("k")).toBeUndefined();
  }
  index.merge({ ...ENTRY, deadLetterAcknowledged: true });
  expect(index.settled("k")).toMatchObject({ outcome: "in-doubt" });
});

test("a late done resolves an acknowledged in-doubt, and stays", () => {
  const index = createHistoryIndex();
  const inDoubt: HistoryEntry = { ...ENTRY, deadLetterAcknowledged: true, atMs: 20 };
  expect(index.merge(inDoubt)).toBe(true);
  expect(index.merge({ ...ENTRY, outcome: "done" })).toBe(true);
  expect(index.merge(inDoubt)).toBe(false);
  expect(index.settled("k")).toMatchObject({ outcome: "done" });
  expect(index.size).toBe(1);
});
