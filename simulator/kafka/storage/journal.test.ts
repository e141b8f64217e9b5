import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JournalEntry } from "./entries.ts";
import { Journal, readJournal } from "./journal.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kafka-journal-"));
  path = join(directory, "journal");
});

afterEach(() => rmSync(directory, { recursive: true }));

const entry = (last: number): JournalEntry => ({ type: "producer-id", last: String(last) });
const format: JournalEntry = { type: "format", version: 1 };

function write(...entries: readonly JournalEntry[]): Buffer {
  using journal = new Journal(path, () => []);
  for (const one of entries) journal.append(one);
  return readFileSync(path);
}

test("what was appended is read again, in order", () => {
  write(entry(1), entry(2));
  expect(readJournal(path)).toEqual([format, entry(1), entry(2)]);
});

test("where there is no file there is no entry", () => {
  expect(readJournal(path)).toEqual([]);
});

test("cut short anywhere it gives every whole entry and nothing else", () => {
  const content = write(entry(1), entry(2));
  const sizes = [format, entry(1), entry(2)].map((one) => 8 + JSON.stringify(one).length);
  for (let length = 0; length <= content.length; length += 1) {
    writeFileSync(path, content.subarray(0, length));
    let whole = 0;
    for (let end = 0; whole < sizes.length; whole += 1) {
      end += sizes[whole] ?? 0;
      if (end > length) break;
    }
    expect(readJournal(path)).toEqual([format, entry(1), entry(2)].slice(0, whole));
  }
});

test("a flipped bit before the last entry is damage; in the last one it was not finished", () => {
  const content = write(entry(1), entry(2));
  const flipped = Buffer.from(content);
  flipped.writeUInt8(flipped.readUInt8(20) ^ 1, 20);
  writeFileSync(path, flipped);
  expect(() => readJournal(path)).toThrow(/is damaged at byte 0: restore it from a copy/);
  const last = Buffer.from(content);
  last.writeUInt8(last.readUInt8(last.length - 1) ^ 1, last.length - 1);
  writeFileSync(path, last);
  expect(readJournal(path)).toEqual([format, entry(1)]);
});

test("a newer format is refused", () => {
  write({ type: "format", version: 2 });
  expect(() => readJournal(path)).toThrow(/was written by another version of the broker/);
});

test("it begins with what the snapshot says, and is written anew when it has grown", () => {
  const snapshots: JournalEntry[][] = [[entry(1)], [entry(7)]];
  const group = "g".repeat(1024 * 1024);
  using journal = new Journal(path, () => snapshots.shift() ?? []);
  expect(readJournal(path)).toEqual([format, entry(1)]);
  for (let count = 0; count < 16; count += 1) journal.append({ type: "group-deleted", group });
  expect(readJournal(path)).toEqual([format, entry(7)]);
  journal.append(entry(8));
  expect(readJournal(path)).toEqual([format, entry(7), entry(8)]);
  expect(statSync(path).size).toBeLessThan(1000);
});
