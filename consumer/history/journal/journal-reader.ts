import { z } from "zod";
import { systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Metrics } from "#consumer/ports.ts";
import { auditSchema } from "#consumer/history/base/audit.ts";
import type { AuditRecord } from "#consumer/history/base/audit.ts";
import { entrySchema } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { checkFormat } from "#consumer/history/base/format.ts";
import { JOURNAL_HEADER_BYTES, decodeFrames, decodeJournalHeader } from "./frames.ts";
import { JOURNAL_DIRECTORY } from "#consumer/history/base/layout.ts";

/** Reads the journals of every other writer of the volume as they grow. */
export interface JournalReader {
  /**
   * Reads what was added since the last call and passes it to `sink`. A journal that cannot be read raises an alarm
   * and is tried again at the next call: journals are caches, and the claims hold the same. Throws the errors of
   * listing the journals, and "history-unreadable" for a journal of a newer format after the others have been read.
   */
  refresh(sink: JournalSink): Promise<void>;
  /** Returns the state of each journal of another writer that was present at the last `refresh`. */
  read(): readonly JournalReading[];
  /** Forgets a journal that was deleted. */
  forget(path: string): void;
}

/** Receives the records of journals. */
interface JournalSink {
  merge(entry: HistoryEntry): void;
  note(audit: AuditRecord): void;
}

export interface JournalReading {
  readonly path: string;
  /** True when the writer sealed it and everything before the seal was whole. */
  readonly sealed: boolean;
  /** The time of its last record by the writer's clock; undefined when it has none, or when more is unread. */
  readonly lastAtMs: number | undefined;
  /** The time for which this process has seen it empty, in milliseconds; 0 when it is not empty. */
  readonly emptyForMs: number;
}

export interface JournalReaderOptions {
  readonly files: Pick<Files, "list" | "readFrom">;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Tells whether this process writes the journal at that path; such journals are left out. */
  readonly isOwn: (path: string) => boolean;
}

interface Reading {
  /** The end of what was read and understood. */
  position: number;
  /** True when nothing will follow, because its writer sealed it or because it is no journal. */
  finished: boolean;
  /** The position at which the last reading saw damage. */
  damageAt: number | undefined;
  damaged: boolean;
  sealed: boolean;
  /** True when the last reading failed, so that its present content is unknown. */
  unreadable: boolean;
  lastAtMs: number | undefined;
  /** The monotonic times at which the first reading and the last successful reading began. */
  readonly firstReadMs: number;
  lastReadMs: number;
}

/** Records of any other kind are kept as they are. */
const recordSchema = z.union([
  // An end can be journalled again long after it came, so the record has a time of its own.
  entrySchema.extend({ kind: z.literal("entry"), journalledAtMs: z.number().optional() }),
  z.object({ kind: z.literal("seal") }),
  auditSchema.extend({ kind: auditSchema.shape.kind.refine((kind) => !OWN_KINDS.has(kind)) }),
]);

const OWN_KINDS = new Set(["entry", "seal"]);

/** The size of some hundred records, which take a few milliseconds. */
const BYTES_PER_PART = 256 * 1024;

export function createJournalReader(options: JournalReaderOptions): JournalReader {
  const { files, clock, log, metrics, isOwn } = options;
  const readings = new Map<string, Reading>();

  const alarm = (path: string, fields: object): void => {
    metrics.count("storage_errors", { code: "corrupt-record" });
    log.error("history.journal.damaged", { path, ...fields });
  };

  const noteUnreadable = (path: string, error: unknown): void => {
    const reading = readings.get(path);
    if (!reading || reading.unreadable) return;
    reading.unreadable = true;
    metrics.count("storage_errors", { code: systemCode(error) ?? "unknown" });
    log.error("history.journal.unreadable", { path, error });
  };

  /** Reads a journal in parts, so that other work of the process can run in between. */
  const read = async (path: string, sink: JournalSink): Promise<void> => {
    const startMs = clock.monotonicMs();
    const reading = readings.get(path) ?? unread(startMs);
    readings.set(path, reading);
    let bytesMax = BYTES_PER_PART;
    while (!reading.finished) {
      const start = reading.position;
      const bytes = await files.readFrom(path, start, bytesMax);
      reading.unreadable = false;
      const doubtful = readPart(path, reading, bytes, sink);
      reading.lastReadMs = startMs;
      if (doubtful || bytes.length < bytesMax) return;
      // Bytes that are no record may be damage, or a record longer than the part: read more of it.
      bytesMax = reading.position > start ? BYTES_PER_PART : 2 * bytesMax;
    }
  };

  /** Takes the whole records of a part. Returns true when the rest may be damage or a record that is being written. */
  const readPart = (
    path: string,
    reading: Reading,
    bytes: Uint8Array,
    sink: JournalSink,
  ): boolean => {
    const start = reading.position;
    let from = 0;
    if (start === 0) {
      const format = decodeJournalHeader(bytes);
      if (format === "torn") return false;
      if (format === "foreign") {
        reading.finished = true;
        reading.damaged = true;
        alarm(path, { rule: "does not begin as a journal does" });
        return false;
      }
      checkFormat(format, path);
      from = JOURNAL_HEADER_BYTES;
    }
    for (;;) {
      const { payloads, consumedBytes, damage } = decodeFrames(bytes, from);
      for (const payload of payloads) accept(path, reading, payload, sink);
      reading.position = start + consumedBytes;
      if (!damage) return false;
      // A writer's pages may arrive out of order, so only what looks the same the next time is damage.
      if (reading.damageAt !== reading.position) {
        reading.damageAt = reading.position;
        return true;
      }
      reading.damaged = true;
      alarm(path, { fromByte: reading.position, toByte: start + damage.toByte });
      reading.damageAt = undefined;
      from = damage.toByte;
    }
  };

  const accept = (path: string, reading: Reading, payload: Uint8Array, sink: JournalSink): void => {
    const value: object = JSON.parse(new TextDecoder().decode(payload));
    const parsed = recordSchema.safeParse(value);
    if (!parsed.success) {
      reading.damaged = true;
      alarm(path, { rule: z.prettifyError(parsed.error) });
      return;
    }
    const record = parsed.data;
    if (isSeal(record)) {
      reading.finished = true;
      reading.sealed = true;
      return;
    }
    const writtenMs = isEntry(record) ? (record.journalledAtMs ?? record.atMs) : record.atMs;
    reading.lastAtMs = Math.max(reading.lastAtMs ?? 0, writtenMs);
    if (isEntry(record)) {
      const { kind: _kind, journalledAtMs: _journalledAtMs, ...entry } = record;
      sink.merge(entry);
    } else {
      sink.note(record);
    }
  };

  return {
    async refresh(sink) {
      let failure: Error | undefined;
      for (const name of await files.list(JOURNAL_DIRECTORY)) {
        const path = `${JOURNAL_DIRECTORY}/${name}`;
        if (!name.endsWith(".log") || isOwn(path)) continue;
        try {
          await read(path, sink);
        } catch (error) {
          if (systemCode(error) === "ENOENT") {
            readings.delete(path);
            continue;
          }
          if (systemCode(error) !== undefined) noteUnreadable(path, error);
          else failure ??= error instanceof Error ? error : new Error(String(error));
        }
      }
      if (failure) throw failure;
    },
    read: () =>
      [...readings].map(([path, reading]) => {
        const { sealed, damaged, damageAt, lastAtMs, firstReadMs, lastReadMs } = reading;
        if (reading.unreadable) return { path, sealed: false, lastAtMs: undefined, emptyForMs: 0 };
        const isEmpty =
          reading.position <= JOURNAL_HEADER_BYTES && !damaged && damageAt === undefined;
        return {
          path,
          sealed: sealed && !damaged,
          lastAtMs: damageAt === undefined ? lastAtMs : undefined,
          emptyForMs: isEmpty ? lastReadMs - firstReadMs : 0,
        };
      }),
    forget: (path) => void readings.delete(path),
  };
}

function unread(nowMs: number): Reading {
  return {
    position: 0,
    finished: false,
    damageAt: undefined,
    damaged: false,
    sealed: false,
    unreadable: false,
    lastAtMs: undefined,
    firstReadMs: nowMs,
    lastReadMs: nowMs,
  };
}

type JournalRecord = z.infer<typeof recordSchema>;
type EntryRecord = HistoryEntry & {
  readonly kind: "entry";
  readonly journalledAtMs?: number | undefined;
};

function isEntry(record: JournalRecord): record is EntryRecord {
  return record.kind === "entry";
}

function isSeal(record: JournalRecord): record is { kind: "seal" } {
  return record.kind === "seal";
}
