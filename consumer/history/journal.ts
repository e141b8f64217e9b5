import { ConsumerError } from "../errors.ts";
import type { Clock, Files, Metrics, Random, WritableFile } from "../ports.ts";
import type { HistoryEntry } from "./entry.ts";
import { FORMAT } from "./format.ts";
import { encodeFrame, encodeJournalHeader } from "./frames.ts";

export const JOURNAL_DIRECTORY = "journal";

/** The journal of this process: nobody else writes to it. */
export interface Journal {
  /** Resolves when the entry is durable. Entries that come while a sync runs share the next one. */
  append(entry: HistoryEntry): Promise<void>;
  /** Writes the last record, which says that nothing will follow. Nothing may be appended afterwards. */
  seal(): Promise<void>;
  /** True for a file that this journal began. */
  owns(path: string): boolean;
}

export interface JournalOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Begins the name of the file. */
  readonly podUid: string;
}

interface Waiting {
  readonly frame: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The file is made at the first entry. After any failed write what it holds is unknown, and it is left as it
 * is, unsealed: the next entry begins another.
 */
export function createJournal(options: JournalOptions): Journal {
  const { files, clock, random, metrics, podUid } = options;
  const paths = new Set<string>();
  let file: WritableFile | undefined;
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;
  let sealed = false;

  const create = async (): Promise<WritableFile> => {
    const path = `${JOURNAL_DIRECTORY}/${podUid}-${random.nonce()}.log`;
    paths.add(path);
    const created = await files.createExclusive(path);
    try {
      await created.append(encodeJournalHeader(FORMAT));
      await files.syncDirectory(JOURNAL_DIRECTORY);
    } catch (error) {
      await created.close().catch(() => undefined);
      throw error;
    }
    return created;
  };

  const write = async (bytes: Uint8Array): Promise<void> => {
    file ??= await create();
    try {
      await file.append(bytes);
      const startMs = clock.monotonicMs();
      await file.dataSync();
      metrics.observe("fsync", clock.monotonicMs() - startMs);
    } catch (error) {
      const abandoned = file;
      file = undefined;
      await abandoned.close().catch(() => undefined);
      throw error;
    }
  };

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await write(Buffer.concat(batch.map(({ frame }) => frame)));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    flushing = undefined;
  };

  return {
    append(entry) {
      if (sealed) {
        return Promise.reject(new ConsumerError("internal", "The journal is sealed already"));
      }
      return new Promise((resolve, reject) => {
        waiting.push({ frame: encodeFrame({ kind: "entry", ...entry }), resolve, reject });
        flushing ??= flush();
      });
    },
    async seal() {
      sealed = true;
      await flushing;
      if (!file) return;
      await write(encodeFrame({ kind: "seal" }));
      await file.close();
      file = undefined;
    },
    owns: (path) => paths.has(path),
  };
}
