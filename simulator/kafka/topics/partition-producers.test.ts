import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PartitionProducers } from "./partition-producers.ts";
import type { RecordBatch } from "#simulator/kafka/wire/record-batch.ts";

const batch = (baseSequence: number, recordCount = 1, producerEpoch = 0): RecordBatch => ({
  bytes: Buffer.alloc(0),
  recordCount,
  compression: 0,
  transactional: false,
  control: false,
  lastOffsetDelta: recordCount - 1,
  baseTimestampMs: 0,
  maxTimestampMs: 0,
  producerId: 7n,
  producerEpoch,
  baseSequence,
});

/** Writes three batches of two records each: sequences 0 to 5 at the same offsets. */
const written = (): PartitionProducers => {
  const producers = new PartitionProducers();
  for (const sequence of [0, 2, 4]) {
    expect(producers.check(batch(sequence, 2))).toBeUndefined();
    producers.appended(batch(sequence, 2), BigInt(sequence), sequence);
  }
  return producers;
};

test("the next batch in sequence is new, and a repeated one is answered with its first offset", () => {
  const producers = written();
  expect(producers.check(batch(6))).toBeUndefined();
  expect([0, 2, 4].map((sequence) => producers.check(batch(sequence, 2))?.baseOffset)).toEqual([
    0n,
    2n,
    4n,
  ]);
});

describe("refused", () => {
  test.each([
    ["a gap", batch(7), "OUT_OF_ORDER_SEQUENCE_NUMBER"],
    ["a part of an earlier batch", batch(4), "OUT_OF_ORDER_SEQUENCE_NUMBER"],
    ["a new epoch that does not begin at 0", batch(6, 1, 1), "OUT_OF_ORDER_SEQUENCE_NUMBER"],
  ])("%s", (_name, sent, code) => {
    expect(() => written().check(sent)).toThrow(expect.objectContaining({ code }));
  });

  test("an epoch that has been fenced", () => {
    const producers = written();
    producers.appended(batch(0, 1, 1), 6n, 0);
    expect(() => producers.check(batch(6))).toThrow(
      expect.objectContaining({ code: "INVALID_PRODUCER_EPOCH" }),
    );
  });
});

test("sequence numbers wrap after 2^31 - 1", () => {
  const producers = new PartitionProducers();
  producers.appended(batch(2 ** 31 - 1), 0n, 0);
  expect(producers.check(batch(0))).toBeUndefined();
});

test("a producer is forgotten when its newest record is old enough", () => {
  const producers = written();
  producers.expire(3);
  expect(producers.check(batch(4, 2))).toMatchObject({ baseOffset: 4n, maxTimestampMs: 4 });
  producers.expire(4);
  expect(producers.check(batch(4, 2))).toBeUndefined();
});

test("any retry of one of the last five batches appends nothing", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 4 }), (count, back) => {
      const producers = new PartitionProducers();
      for (let index = 0; index < count; index += 1) {
        producers.appended(batch(index), BigInt(index), index);
      }
      const repeated = Math.max(0, count - 1 - back);
      expect(producers.check(batch(repeated))?.baseOffset).toBe(BigInt(repeated));
    }),
  );
});
