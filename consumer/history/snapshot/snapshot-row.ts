import { ConsumerError } from "#consumer/errors.ts";
import { ATTEMPT_OUTCOMES } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";

export const KEY_BYTES = 32;
/** The size of a row. snapshot.ts describes its fields. */
export const ROW_BYTES = 80;

/** A row where it lies in a snapshot, and the pod, which is the one text that decides between two ends. */
export interface Row {
  readonly bytes: Buffer;
  readonly pod: string;
}

/** Writes an entry into an empty row. `id` is the place of the incident id. Throws "internal" for an invalid key. */
export function writeRow(
  row: Buffer,
  entry: HistoryEntry,
  id: { readonly offset: number; readonly length: number },
  texts: TextTable,
): void {
  if (!isSnapshotKey(entry.key)) {
    throw new ConsumerError("internal", `snapshot: key ${JSON.stringify(entry.key)} is no sha256`);
  }
  row.write(entry.key, 0, KEY_BYTES, "hex");
  row.writeDoubleLE(entry.startedOnMs, 32);
  row.writeDoubleLE(entry.atMs, 40);
  row.writeUInt32LE(texts.numberOf(entry.rule), 48);
  row.writeUInt32LE(texts.numberOf(entry.action), 52);
  row.writeUInt32LE(texts.numberOf(entry.transition), 56);
  row.writeUInt32LE(texts.numberOf(entry.pod), 60);
  row.writeUInt32LE(id.offset, 64);
  row.writeUInt32LE(id.length, 68);
  row.writeUInt32LE(entry.attempt, 72);
  row.writeUInt8(ATTEMPT_OUTCOMES.indexOf(entry.outcome), 76);
  row.writeUInt8(Number(entry.deadLetterAcknowledged), 77);
}

/** Reads the row that begins at `start`. `ids` is the offset of the incident ids. */
export function readRow(
  bytes: Buffer,
  start: number,
  ids: number,
  texts: readonly string[],
): HistoryEntry {
  const text = (at: number): string => texts[bytes.readUInt32LE(start + at)] ?? "";
  const id = ids + bytes.readUInt32LE(start + 64);
  return {
    key: bytes.toString("hex", start, start + KEY_BYTES),
    rule: text(48),
    action: text(52),
    incidentId: bytes.toString("utf8", id, id + bytes.readUInt32LE(start + 68)),
    transition: text(56),
    startedOnMs: bytes.readDoubleLE(start + 32),
    attempt: bytes.readUInt32LE(start + 72),
    outcome: ATTEMPT_OUTCOMES[bytes.readUInt8(start + 76)] ?? "in-doubt",
    atMs: bytes.readDoubleLE(start + 40),
    pod: text(60),
    deadLetterAcknowledged: bytes.readUInt8(start + 77) === 1,
  };
}

export function compareKeys(one: Row, other: Row): number {
  return one.bytes.compare(other.bytes, 0, KEY_BYTES, 0, KEY_BYTES);
}

/** Compares everything that decides which of two ends of a key stays: time, attempt, outcome, acknowledgement, pod. */
export function isSameEnd(one: Row, other: Row): boolean {
  return (
    one.pod === other.pod &&
    one.bytes.compare(other.bytes, 40, 48, 40, 48) === 0 &&
    one.bytes.compare(other.bytes, 72, 78, 72, 78) === 0
  );
}

export function isSnapshotKey(key: string): boolean {
  return /^[0-9a-f]{64}$/.test(key);
}

/** The texts that the rows of a snapshot share, each of them once. */
interface TextTable {
  readonly all: readonly string[];
  numberOf(text: string): number;
}

export function createTextTable(): TextTable {
  const numbers = new Map<string, number>();
  const all: string[] = [];
  return {
    all,
    numberOf(text) {
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, all.length);
      return all.push(text) - 1;
    },
  };
}
