import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ATTEMPT_OUTCOMES, type HistoryEntry } from "./entry.ts";
import { FORMATS } from "./format.ts";
import { createHistoryIndex } from "./index.ts";
import { type Snapshot, decodeSnapshot, encodeSnapshot } from "./snapshot.ts";

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

// ------------------------------------------------------------------------------------ over a snapshot

function snapshotOf(entries: readonly HistoryEntry[]): Snapshot {
  const content = entries.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  const parts = encodeSnapshot(FORMATS.writes, { entries: () => content, audits: [] });
  const snapshot = decodeSnapshot(Buffer.concat([...parts]), "snapshot/1", FORMATS);
  if (snapshot === "damaged") throw new Error("damaged");
  return snapshot;
}

const entryOfFew: fc.Arbitrary<HistoryEntry> = fc
  .tuple(entry, fc.integer({ min: 0, max: 9 }))
  .map(([fields, number]) => Object.assign({}, fields, { key: String(number).repeat(64) }));

const few = fc.array(entryOfFew, { maxLength: 12 });

test("whatever snapshot comes to be its ground, the union stays", () => {
  fc.assert(
    fc.property(few, few, few, fc.boolean(), (first, journalled, other, contains) => {
      const index = createHistoryIndex();
      index.rebase(snapshotOf(unionOf(first)), () => true);
      for (const added of journalled) index.merge(added);
      // A generation of another pod: with what this one has read of the journals, or without.
      const next = unionOf([...(contains ? [...first, ...journalled] : []), ...other]);
      index.rebase(snapshotOf(next), () => true);
      const all = unionOf([...first, ...journalled, ...other]);
      expect(sorted(index.entries())).toEqual(all);
      expect(index.size).toBe(all.length);
      expect([...index.freeze(() => true).entries()]).toEqual(all);
      for (const one of all) expect(index.find(one.key)).toEqual(one);
    }),
  );
});

function unionOf(entries: readonly HistoryEntry[]): HistoryEntry[] {
  const index = createHistoryIndex();
  for (const one of entries) index.merge(one);
  return sorted(index.entries());
}

function sorted(entries: Iterable<HistoryEntry>): HistoryEntry[] {
  return [...entries].toSorted((one, other) => (one.key < other.key ? -1 : 1));
}
