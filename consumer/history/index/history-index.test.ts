import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import { ATTEMPT_OUTCOMES, supersedes } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { createHistoryIndex } from "./history-index.ts";
import { decodeSnapshot, encodeSnapshot } from "#consumer/history/snapshot/snapshot.ts";
import type { Snapshot } from "#consumer/history/snapshot/snapshot.ts";

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
  assertCounted(
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
  expect(index.findFinal("k")).toBeUndefined();
  for (const outcome of ["in-doubt", "rejected", "failed-not-applied"] as const) {
    index.merge({ ...ENTRY, outcome });
    expect(index.findFinal("k")).toBeUndefined();
  }
  index.merge({ ...ENTRY, deadLetterAcknowledged: true });
  expect(index.findFinal("k")).toMatchObject({ outcome: "in-doubt" });
});

test("a late done resolves an acknowledged in-doubt, and stays", () => {
  const index = createHistoryIndex();
  const inDoubt: HistoryEntry = { ...ENTRY, deadLetterAcknowledged: true, atMs: 20 };
  expect(index.merge(inDoubt)).toBe(true);
  expect(index.merge({ ...ENTRY, outcome: "done" })).toBe(true);
  expect(index.merge(inDoubt)).toBe(false);
  expect(index.findFinal("k")).toMatchObject({ outcome: "done" });
  expect(index.size).toBe(1);
});

// ------------------------------------------------------------------------------------ over a snapshot

function snapshotOf(entries: readonly HistoryEntry[]): Snapshot {
  const content = entries.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  const parts = encodeSnapshot({ entries: () => content, audits: [] });
  const snapshot = decodeSnapshot(Buffer.concat([...parts]), "snapshot/1");
  if (snapshot === "damaged") throw new Error("damaged");
  return snapshot;
}

const entryOfFew: fc.Arbitrary<HistoryEntry> = fc
  .tuple(entry, fc.integer({ min: 0, max: 9 }))
  .map(([fields, number]) => Object.assign({}, fields, { key: String(number).repeat(64) }));

const few = fc.array(entryOfFew, { maxLength: 12 });

test("whatever snapshot comes to be its ground, the union stays", async () => {
  await assertCounted(
    fc.asyncProperty(few, few, few, fc.boolean(), async (first, journalled, other, contains) => {
      const index = createHistoryIndex();
      await index.rebase(snapshotOf(unionOf(first)), () => true, noPause);
      for (const added of journalled) index.merge(added);
      // A generation of another pod: with what this one has read of the journals, or without.
      const next = unionOf([...(contains ? [...first, ...journalled] : []), ...other]);
      await index.rebase(snapshotOf(next), () => true, noPause);
      const all = unionOf([...first, ...journalled, ...other]);
      expect(sorted(index.entries())).toEqual(all);
      expect(index.size).toBe(all.length);
      expect([...index.freeze(() => true).entries()]).toEqual(all);
      for (const one of all) expect(index.find(one.key)).toEqual(one);
    }),
  );
});

/** Keys in sixteen shards. */
const spread = fc
  .tuple(entry, fc.integer({ min: 0, max: 15 }))
  .map(([fields, number]) => Object.assign({}, fields, { key: number.toString(16).repeat(64) }));

test("what is read and merged while its ground changes is right at every moment", async () => {
  const some = fc.array(spread, { maxLength: 24 });
  await assertCounted(
    fc.asyncProperty(some, some, some, some, async (first, journalled, other, during) => {
      const index = createHistoryIndex(1);
      await index.rebase(snapshotOf(unionOf(first)), () => true, noPause);
      for (const added of journalled) index.merge(added);
      const known = [...first, ...journalled];
      const coming = during.values();
      await index.rebase(
        snapshotOf(unionOf([...other, ...journalled.slice(0, 5)])),
        () => true,
        async () => {
          const { value: added } = coming.next();
          if (added) {
            index.merge(added);
            known.push(added);
          }
          const lost = known.filter((one) => {
            const found = index.find(one.key);
            return !found || supersedes(one, found);
          });
          expect(lost).toEqual([]);
        },
      );
      expect(sorted(index.entries())).toEqual(unionOf([...known, ...other]));
    }),
  );
});

test("a listing that is under way when the ground changes leaves nothing out", async () => {
  const all = Array.from({ length: 16 }, (_, number) =>
    Object.assign({}, ENTRY, { key: number.toString(16).repeat(64) }),
  );
  for (let seen = 0; seen <= all.length; seen += 1) {
    const index = createHistoryIndex();
    for (const one of all) index.merge(one);
    const listing = index.entries();
    const listed = Array.from({ length: seen }, () => listing.next().value);
    await index.rebase(snapshotOf(all), () => true, noPause);
    expect([...listed, ...listing]).toEqual(all);
  }
});

test("another ground is taken a few thousand entries at a time", async () => {
  const all = Array.from({ length: 20_000 }, (_, number) =>
    Object.assign({}, ENTRY, { key: createHash("sha256").update(`${number}`).digest("hex") }),
  );
  const index = createHistoryIndex();
  for (const one of all) index.merge(one);
  let longest = 0;
  let current = 0;
  const keeps = (): boolean => {
    current += 1;
    longest = Math.max(longest, current);
    return true;
  };
  const pause = async (): Promise<void> => {
    current = 0;
  };
  await index.rebase(snapshotOf(all.slice(0, 10_000)), keeps, pause);
  await pause();
  await index.rebase(snapshotOf([]), keeps, pause);
  expect(longest).toBeLessThanOrEqual(4096);
  expect(longest).toBeGreaterThan(2048);
  expect(index.size).toBe(all.length);
});

async function noPause(): Promise<void> {}

function unionOf(entries: readonly HistoryEntry[]): HistoryEntry[] {
  const index = createHistoryIndex();
  for (const one of entries) index.merge(one);
  return sorted(index.entries());
}

function sorted(entries: Iterable<HistoryEntry>): HistoryEntry[] {
  return [...entries].toSorted((one, other) => (one.key < other.key ? -1 : 1));
}
