import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import { ATTEMPT_OUTCOMES } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { FORMAT } from "#consumer/history/base/format.ts";
import { EMPTY_SNAPSHOT, decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
import type { Snapshot } from "./snapshot.ts";

const text = fc.string({ unit: "binary", maxLength: 12 }).filter((value) => value.isWellFormed());

const entry: fc.Arbitrary<HistoryEntry> = fc.record({
  key: fc.stringMatching(/^[0-9a-f]{64}$/),
  rule: text,
  action: text,
  incidentId: text,
  transition: text,
  startedOnMs: fc.integer({ min: 0, max: 8.64e15 }),
  attempt: fc.integer({ min: 1, max: 1_000_000 }),
  outcome: fc.constantFrom(...ATTEMPT_OUTCOMES),
  atMs: fc.integer({ min: 0, max: 8.64e15 }),
  pod: text,
  deadLetterAcknowledged: fc.boolean(),
});

const entries = fc
  .uniqueArray(entry, { selector: ({ key }) => key, maxLength: 40 })
  .map((all) => all.toSorted((one, other) => (one.key < other.key ? -1 : 1)));

const AUDIT = { kind: "resolve", key: "ab".repeat(32), atMs: 5, by: "somebody" };

function bytesOf(content: readonly HistoryEntry[], format = FORMAT): Buffer {
  return Buffer.concat([...encodeSnapshot({ entries: () => content, audits: [AUDIT] }, format)]);
}

function decoded(bytes: Uint8Array): Snapshot {
  const snapshot = decodeSnapshot(bytes, "snapshot/1");
  if (snapshot === "damaged") throw new Error("damaged");
  return snapshot;
}

test("what goes in comes out, by order and by key", () => {
  assertCounted(
    fc.property(entries, entry, (content, other) => {
      const snapshot = decoded(bytesOf(content));
      expect([...snapshot.entries()]).toEqual(content);
      for (const one of content) expect(snapshot.find(one.key)).toEqual(one);
      const known = content.find(({ key }) => key === other.key);
      expect(snapshot.find(other.key)).toEqual(known);
      expect(snapshot.audits).toEqual([AUDIT]);
    }),
  );
});

test("it tells what another one lacks", () => {
  assertCounted(
    fc.property(entries, fc.infiniteStream(fc.boolean()), (content, keep) => {
      const part = content.filter(() => keep.next().value);
      const missing = content.filter((one) => !part.includes(one));
      expect([...decoded(bytesOf(content)).missingIn(decoded(bytesOf(part)))]).toEqual(missing);
      expect([...decoded(bytesOf(part)).missingIn(decoded(bytesOf(content)))]).toEqual([]);
    }),
  );
});

test("more rows than one part holds", () => {
  const [sample] = fc.sample(entry, { numRuns: 1, seed: 1 });
  if (!sample) throw new Error("no sample");
  const content = Array.from({ length: 10_000 }, (_, index) => {
    const key = index.toString(16).padStart(64, "0");
    return { ...sample, key, incidentId: `incident ${index} ü` };
  });
  expect([...decoded(bytesOf(content)).entries()]).toEqual(content);
});

test("every truncation and every flipped byte is damage, and never another content", () => {
  const content = fc.sample(entry, { numRuns: 2, seed: 2 }).toSorted((one, other) => {
    return one.key < other.key ? -1 : 1;
  });
  const whole = bytesOf(content);
  for (let length = 0; length < whole.length; length += 1) {
    expect(decodeSnapshot(whole.subarray(0, length), "snapshot/1")).toBe("damaged");
  }
  for (let position = 8; position < whole.length; position += 1) {
    const flipped = Buffer.from(whole);
    flipped[position] = (flipped[position] ?? 0) ^ 1;
    expect(decodeSnapshot(flipped, "snapshot/1")).toBe("damaged");
  }
});

test("another format is refused with its number, even where the rest cannot be understood", () => {
  const newer = bytesOf([], 7);
  newer[newer.length - 1] = 0;
  expect(() => decodeSnapshot(newer, "snapshot/3")).toThrow(
    /snapshot\/3: format 7, .* a newer version/,
  );
});

test("an entry whose key is no sha256 is refused, and not written as another one", () => {
  const [sample] = fc.sample(entry, { numRuns: 1, seed: 3 });
  if (!sample) throw new Error("no sample");
  expect(() => bytesOf([{ ...sample, key: "k" }])).toThrow(/key "k" is no sha256/);
  expect(EMPTY_SNAPSHOT.find("k")).toBeUndefined();
});
