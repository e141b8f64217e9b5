import { z } from "zod";
import { systemCode } from "../errors.ts";
import type { Files, Log, Metrics } from "../ports.ts";
import { type HistoryEntry, entrySchema } from "./entry.ts";
import { checkFormat } from "./format.ts";
import { JOURNAL_HEADER_BYTES, decodeFrames, decodeJournalHeader } from "./frames.ts";
import { JOURNAL_DIRECTORY } from "./journal.ts";

/** The journals of every writer of the volume, read as they grow. */
export interface Journals {
  /**
   * Reads what was added since the last call and gives each entry to `merge`. Throws the volume's errors, or
   * "history-unreadable" at a journal of a newer format; the other journals have been read by then.
   */
  refresh(merge: (entry: HistoryEntry) => void): Promise<void>;
}

export interface JournalsOptions {
  readonly files: Files;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Journals to leave out: those that this process writes. */
  readonly isOwn: (path: string) => boolean;
}

interface Reading {
  /** End of what was read and understood. */
  position: number;
  /** Nothing will follow: sealed by its writer, or no journal at all. */
  finished: boolean;
  /** Where damage was seen the last time. */
  damageAt: number | undefined;
}

const recordSchema = z.discriminatedUnion("kind", [
  entrySchema.extend({ kind: z.literal("entry") }),
  z.object({ kind: z.literal("seal") }),
]);

export function createJournals({ files, log, metrics, isOwn }: JournalsOptions): Journals {
  const readings = new Map<string, Reading>();

  const alarm = (path: string, fields: object): void => {
    metrics.count("storage_errors", { code: "corrupt-record" });
    log.error("history.journal.damaged", { path, ...fields });
  };

  const read = async (path: string, merge: (entry: HistoryEntry) => void): Promise<void> => {
    const reading = readings.get(path) ?? { position: 0, finished: false, damageAt: undefined };
    readings.set(path, reading);
    if (reading.finished) return;
    const start = reading.position;
    const bytes = await files.readFrom(path, start);
    let from = 0;
    if (start === 0) {
      const format = decodeJournalHeader(bytes);
      if (format === "torn") return;
      if (format === "foreign") {
        reading.finished = true;
        alarm(path, { rule: "does not begin as a journal does" });
        return;
      }
      checkFormat(format, path);
      from = JOURNAL_HEADER_BYTES;
    }
    for (;;) {
      const { payloads, consumedBytes, damage } = decodeFrames(bytes, from);
      for (const payload of payloads) accept(path, reading, payload, merge);
      reading.position = start + consumedBytes;
      if (!damage) return;
      // A writer's pages may arrive out of order: damage is only what looks the same the next time.
      if (reading.damageAt !== reading.position) {
        reading.damageAt = reading.position;
        return;
      }
      alarm(path, { fromByte: reading.position, toByte: start + damage.toByte });
      reading.damageAt = undefined;
      from = damage.toByte;
    }
  };

  const accept = (
    path: string,
    reading: Reading,
    payload: Uint8Array,
    merge: (entry: HistoryEntry) => void,
  ): void => {
    const parsed = recordSchema.safeParse(JSON.parse(new TextDecoder().decode(payload)));
    if (!parsed.success) {
      alarm(path, { rule: z.prettifyError(parsed.error) });
      return;
    }
    if (parsed.data.kind === "seal") {
      reading.finished = true;
      return;
    }
    const { kind: _kind, ...entry } = parsed.data;
    merge(entry);
  };

  return {
    async refresh(merge) {
      let failure: Error | undefined;
      for (const name of await files.list(JOURNAL_DIRECTORY)) {
        const path = `${JOURNAL_DIRECTORY}/${name}`;
        if (!name.endsWith(".log") || isOwn(path)) continue;
        try {
          await read(path, merge);
        } catch (error) {
          if (systemCode(error) === "ENOENT") continue;
          failure ??= error instanceof Error ? error : new Error(String(error));
        }
      }
      if (failure) throw failure;
    },
  };
}
