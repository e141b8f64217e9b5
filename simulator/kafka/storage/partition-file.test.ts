import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRecordsBatch } from "@platformatic/kafka";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PartitionLog } from "#simulator/kafka/topics/partition-log.ts";
import { readRecords } from "#simulator/kafka/topics/records.ts";
import { parseBatch } from "#simulator/kafka/wire/record-batch.ts";
import { PartitionFile, readBatches } from "./partition-file.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kafka-partition-"));
  path = join(directory, "0.log");
});

afterEach(() => rmSync(directory, { recursive: true }));

const batchOf = (...values: (string | Buffer)[]) =>
  parseBatch(
    Buffer.from(
      createRecordsBatch(
        values.map((value) => ({ topic: "t", value: Buffer.from(value), timestamp: 1n })),
        {},
      ).buffer,
    ),
  );

function open() {
  const { batches, bytes } = readBatches(path);
  const file = new PartitionFile(path, bytes);
  const log = new PartitionLog();
  log.restore(batches, 0n, file);
  return { log, [Symbol.dispose]: () => file[Symbol.dispose]() };
}

const values = (log: PartitionLog): string[] => readRecords(log).map(({ value }) => String(value));

test("batches are at their place again, with their epochs", () => {
  {
    using opened = open();
    opened.log.append(batchOf("a", "b"), 3);
    opened.log.append(batchOf("c"), 5);
  }
  using opened = open();
  expect(values(opened.log)).toEqual(["a", "b", "c"]);
  expect(opened.log.batches.map(({ leaderEpoch }) => leaderEpoch)).toEqual([3, 5]);
  expect(opened.log.append(batchOf("d"), 6)).toBe(3n);
});

test("cut short anywhere it gives every whole batch, and goes on after it", () => {
  {
    using opened = open();
    for (const value of ["a", "b"]) opened.log.append(batchOf(value), 0);
  }
  const content = readFileSync(path);
  for (let length = 0; length <= content.length; length += 1) {
    writeFileSync(path, content.subarray(0, length));
    const whole = Math.floor((2 * length) / content.length);
    {
      using opened = open();
      expect(values(opened.log)).toEqual(["a", "b"].slice(0, whole));
      opened.log.append(batchOf("new"), 0);
    }
    using again = open();
    expect(values(again.log)).toEqual([...["a", "b"].slice(0, whole), "new"]);
  }
});

test("a flipped bit before the last batch is damage; in the last one it was not finished", () => {
  {
    using opened = open();
    for (const value of ["a", "b"]) opened.log.append(batchOf(value), 0);
  }
  const content = readFileSync(path);
  const flip = (at: number): void => {
    const flipped = Buffer.from(content);
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
    writeFileSync(path, flipped);
  };
  flip(content.length / 2 - 1);
  expect(() => readBatches(path)).toThrow(/is damaged at byte 0 .*restore it from a copy/);
  flip(content.length - 1);
  expect(readBatches(path).batches).toHaveLength(1);
});

test("the end of a log whose records are all deleted is kept by its start offset", () => {
  const log = new PartitionLog();
  using file = new PartitionFile(path, 0);
  log.restore([], 7n, file);
  expect([log.startOffset, log.endOffset]).toEqual([7n, 7n]);
  expect(log.append(batchOf("a"), 0)).toBe(7n);
});

test("records that are kept stay behind a start offset in their middle", () => {
  {
    using opened = open();
    for (const value of ["a", "b", "c"]) opened.log.append(batchOf(value), 0);
  }
  const { batches, bytes } = readBatches(path);
  const log = new PartitionLog();
  using file = new PartitionFile(path, bytes);
  log.restore(batches, 1n, file);
  expect([log.startOffset, log.endOffset]).toEqual([1n, 3n]);
  expect(values(log)).toEqual(["b", "c"]);
  expect(log.append(batchOf("d"), 0)).toBe(3n);
});

test("deleted records give their place on disk back when they are most of it", () => {
  const large = Buffer.alloc(1024 * 1024);
  {
    using opened = open();
    for (let count = 0; count < 20; count += 1) opened.log.append(batchOf(large), 0);
    opened.log.deleteBefore(10n);
    expect(statSync(path).size).toBeGreaterThan(20 * large.length);
    opened.log.deleteBefore(18n);
    expect(statSync(path).size).toBeLessThan(3 * large.length);
    opened.log.append(batchOf("last"), 0);
  }
  const { batches } = readBatches(path);
  expect(batches.map(({ baseOffset }) => baseOffset)).toEqual([18n, 19n, 20n]);
});
