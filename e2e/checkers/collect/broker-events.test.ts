import { expect, test } from "vitest";
import type { StoredRecord } from "#e2e/brokers/broker.ts";
import { deadLetterEvents } from "./broker-events.ts";

const deadLetter = (offset: bigint, timestampMs: number): StoredRecord => ({
  partition: 0,
  offset,
  timestampMs,
  key: "i1",
  value: null,
  headers: { "action-key": "k", "action-attempt": "1", "dead-letter-reason": "in-doubt" },
});

const END = { atMs: 1000, offsets: new Map([[0, 2n]]) };

test("a dead letter has the time of the broker and the attempt that it is about", () => {
  expect(deadLetterEvents([deadLetter(0n, 900)], "dead", END)).toEqual([
    {
      kind: "dead-lettered",
      atMs: 900,
      topic: "dead",
      partition: 0,
      offset: "0",
      key: "k",
      attempt: 1,
      reason: "in-doubt",
      source: null,
    },
  ]);
});

test("one that was there at the end belongs to the run, however late its time is, and none that came later", () => {
  const deadLetters = deadLetterEvents(
    [deadLetter(0n, 900), deadLetter(1n, 301_000), deadLetter(2n, 950)],
    "dead",
    END,
  );
  expect(deadLetters.map(({ atMs }) => atMs)).toEqual([900, 1000]);
});
