import { createRecordsBatch, Reader, readRecordsBatch } from "@platformatic/kafka";
import { describe, expect, test } from "vitest";
import { InvalidBatch, parseBatch, placeBatch } from "./record-batch.ts";

const message = (value: string, timestamp: bigint) => ({
  topic: "t",
  key: Buffer.from("k"),
  value: Buffer.from(value),
  timestamp,
});

const batchOf = (...values: string[]): Buffer =>
  Buffer.from(
    createRecordsBatch(
      values.map((value, index) => message(value, BigInt(1000 + index))),
      {},
    ).buffer,
  );

test("the header fields are those that the client wrote", () => {
  expect(parseBatch(batchOf("a", "b", "c"))).toMatchObject({
    recordCount: 3,
    lastOffsetDelta: 2,
    maxTimestampMs: 1002,
    compression: 0,
    transactional: false,
    producerId: -1n,
  });
});

test("a batch at its place still has a right CRC and its records; the sender's bytes are untouched", () => {
  const sent = batchOf("a", "b");
  const before = Buffer.from(sent);
  const placed = placeBatch(parseBatch(sent), 41n, 7);
  expect(sent).toEqual(before);
  expect(parseBatch(placed)).toMatchObject({ recordCount: 2 });
  const read = readRecordsBatch(Reader.from(placed));
  expect(read).toMatchObject({ firstOffset: 41n, partitionLeaderEpoch: 7 });
  expect(read.records.map((record) => String(record.value))).toEqual(["a", "b"]);
});

describe("refused", () => {
  test.each<[name: string, code: string, spoil: (bytes: Buffer) => Buffer]>([
    ["a flipped bit in a record", "CORRUPT_MESSAGE", (bytes) => flip(bytes, bytes.length - 1)],
    ["a flipped bit in the attributes", "CORRUPT_MESSAGE", (bytes) => flip(bytes, 21)],
    ["a batch cut short", "INVALID_RECORD", (bytes) => bytes.subarray(0, -1)],
    ["nothing", "INVALID_RECORD", () => Buffer.alloc(0)],
    ["message format 1", "INVALID_RECORD", (bytes) => set(bytes, 16, 1)],
    ["two batches", "INVALID_RECORD", (bytes) => Buffer.concat([bytes, bytes])],
  ])("%s: %s", (_name, code, spoil) => {
    expect(() => parseBatch(spoil(batchOf("a", "b")))).toThrow(InvalidBatch);
    expect(() => parseBatch(spoil(batchOf("a", "b")))).toThrow(expect.objectContaining({ code }));
  });
});

function flip(bytes: Buffer, index: number): Buffer {
  return set(bytes, index, bytes.readUInt8(index) ^ 1);
}

function set(bytes: Buffer, index: number, value: number): Buffer {
  const spoilt = Buffer.from(bytes);
  spoilt.writeUInt8(value, index);
  return spoilt;
}
