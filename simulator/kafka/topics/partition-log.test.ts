import { createRecordsBatch, Reader, readRecordsBatch } from "@platformatic/kafka";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { PartitionLog } from "./partition-log.ts";
import { offsetAtTimestamp, offsetOfMaxTimestamp, readRecords } from "./read-records.ts";
import { topicRules } from "./topic-config.ts";
import { parseBatch } from "#simulator/kafka/wire/record-batch.ts";

const batchOf = (count: number, timestampMs = 1000) =>
  parseBatch(
    Buffer.from(
      createRecordsBatch(
        Array.from({ length: count }, (_, index) => ({
          topic: "t",
          value: Buffer.from(`v${index}`),
          timestamp: BigInt(timestampMs + index),
        })),
        {},
      ).buffer,
    ),
  );

const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 });

const logOf = (counts: readonly number[]): PartitionLog => {
  const log = new PartitionLog();
  for (const count of counts) log.append(batchOf(count), 0);
  return log;
};

test("offsets are dense and grow, whatever is appended", () => {
  fc.assert(
    fc.property(sizes, (counts) => {
      const log = new PartitionLog();
      let next = 0n;
      for (const count of counts) {
        expect(log.append(batchOf(count), 0)).toBe(next);
        next += BigInt(count);
        expect(log.endOffset).toBe(next);
      }
      const offsets = readRecords(log).map((record) => record.offset);
      expect(offsets).toEqual(offsets.map((_, index) => BigInt(index)));
      expect(offsets).toHaveLength(Number(next));
    }),
  );
});

test("reading begins with the batch that holds the offset, obeys the limit, and returns at least one batch", () => {
  fc.assert(
    fc.property(sizes, fc.nat({ max: 70 }), fc.nat({ max: 400 }), (counts, at, bytesMax) => {
      const log = logOf(counts);
      const offset = BigInt(at) % (log.endOffset + 1n);
      const found = log.read(offset, bytesMax, true);
      const bytes = found.reduce((sum, batch) => sum + batch.bytes.length, 0);
      expect(found.length === 0).toBe(offset === log.endOffset);
      expect(bytes <= bytesMax || found.length === 1 || found.length === 0).toBe(true);
      const [first] = found;
      if (first === undefined) return;
      const read = readRecordsBatch(Reader.from(first.bytes));
      expect(read.firstOffset <= offset).toBe(true);
      expect(read.firstOffset + BigInt(read.lastOffsetDelta) >= offset).toBe(true);
    }),
  );
});

test("a batch larger than the limit is not returned when another partition has returned something", () => {
  expect(logOf([3]).read(0n, 10, false)).toEqual([]);
});

test("deleted records are gone, and those in a partly deleted batch are not shown", () => {
  const log = logOf([3, 3]);
  log.deleteBefore(4n);
  expect(log.startOffset).toBe(4n);
  expect(log.batches).toHaveLength(1);
  expect(readRecords(log).map((record) => record.offset)).toEqual([4n, 5n]);
  expect(log.append(batchOf(1), 0)).toBe(6n);
});

const rules = (config: Record<string, string>) => topicRules(new Map(Object.entries(config)), 1000);

test("retention by time removes the oldest batches, by their newest record", () => {
  const log = new PartitionLog();
  for (const timestampMs of [1000, 2000, 5000, 1000]) log.append(batchOf(2, timestampMs), 0);
  const from = (nowMs: number) => log.retainedFrom(rules({ "retention.ms": "1000" }), nowMs);
  expect([2001, 2002, 3002, 6001, 6002].map(from)).toEqual([0n, 2n, 4n, 4n, 8n]);
  expect(log.retainedFrom(rules({ "retention.ms": "-1" }), 1e12)).toBe(0n);
});

test("retention by size keeps at least the configured bytes", () => {
  const log = logOf([2, 2, 2]);
  const size = log.batches[0]?.bytes.length ?? 0;
  const from = (bytes: number) =>
    log.retainedFrom(rules({ "retention.bytes": String(bytes), "retention.ms": "-1" }), 0);
  expect([3 * size, 2 * size + 1, 2 * size, size, 1, 0].map(from)).toEqual([
    0n,
    0n,
    2n,
    4n,
    4n,
    6n,
  ]);
  log.deleteBefore(3n);
  expect([2 * size, size].map(from)).toEqual([3n, 4n]);
});

test("every record has the time of the append where that is used, and the CRC is right", () => {
  const log = new PartitionLog();
  log.append(batchOf(2), 0, 7000);
  expect(readRecords(log).map((record) => record.timestampMs)).toEqual([7000, 7000]);
  expect(parseBatch(log.batches[0]?.bytes ?? Buffer.alloc(0))).toMatchObject({
    maxTimestampMs: 7000,
    baseTimestampMs: 1000,
  });
  expect(offsetAtTimestamp(log, 6000n)).toEqual({ offset: 0n, timestamp: 7000n });
});

test("appending wakes waiting readers until they stop waiting", () => {
  const log = new PartitionLog();
  let woken = 0;
  const stop = log.onChange(() => (woken += 1));
  log.append(batchOf(1), 0);
  stop();
  log.append(batchOf(1), 0);
  expect(woken).toBe(1);
});

test("offsets are found by time: the first one at or after it, and the newest of all", () => {
  const log = new PartitionLog();
  for (const timestampMs of [1000, 3000, 2000]) log.append(batchOf(2, timestampMs), 0);
  expect(offsetAtTimestamp(log, 1001n)).toEqual({ offset: 1n, timestamp: 1001n });
  expect(offsetAtTimestamp(log, 1500n)).toEqual({ offset: 2n, timestamp: 3000n });
  expect(offsetAtTimestamp(log, 3002n)).toBeUndefined();
  expect(offsetOfMaxTimestamp(log)).toEqual({ offset: 3n, timestamp: 3001n });
});

test("each leader epoch ends where the next one that wrote begins", () => {
  const log = new PartitionLog();
  for (const epoch of [0, 0, 2]) log.append(batchOf(2), epoch);
  expect([0, 1, 2].map((epoch) => log.endOffsetOfEpoch(epoch))).toEqual([4n, 4n, 6n]);
});
