import type { ClientRecord } from "./client.ts";

/** All values of a byte. */
const BINARY = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
const LARGE = Buffer.concat(Array.from({ length: 300 }, () => BINARY));
/**
 * The first timestamp of a series of records is a day ago: no default would produce it by chance.
 */
const FIRST_AGO_MS = 86_400_000;

const text = (value: string): string => Buffer.from(value).toString("base64");

/**
 * Records that a client which accepts text only can write: they have no empty key, and all bytes
 * are UTF-8.
 */
const TEXTUAL: readonly Omit<ClientRecord, "timestampMs">[] = [
  { key: text("plain"), value: text("a value"), headers: [["source", text("matrix")]] },
  { key: null, value: text("a value without a key"), headers: [] },
  { key: text("tombstone"), value: null, headers: [["why", text("gone")]] },
  { key: text("Schlüssel 鍵"), value: text("Wert 値\n\twith a line\r\n"), headers: [] },
  {
    key: text("twice"),
    value: text("x".repeat(5000)),
    headers: [
      ["a", text("1")],
      ["a", text("2")],
      ["b", text("3, and = more")],
    ],
  },
];

const BINARY_TOO: readonly Omit<ClientRecord, "timestampMs">[] = [
  { key: BINARY.toString("base64"), value: BINARY.toString("base64"), headers: [] },
  { key: text("header"), value: text("v"), headers: [["bytes", BINARY.toString("base64")]] },
  { key: text("large"), value: LARGE.toString("base64"), headers: [] },
];

/** Returns the records of one topic, each a second after the one before. */
export function sampleRecords(isTextual: boolean, nowMs = Date.now()): ClientRecord[] {
  const chosen = isTextual ? TEXTUAL : [...TEXTUAL, ...BINARY_TOO];
  return chosen.map(({ key, value, headers }, index) => ({
    key,
    value,
    headers,
    timestampMs: nowMs - FIRST_AGO_MS + index * 1000,
  }));
}
