import { ConsumerError } from "#consumer/errors.ts";
import type { Clock, Files, Metrics, Random, WritableFile } from "#consumer/ports.ts";
import type { AuditRecord } from "#consumer/history/base/audit.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { JOURNAL_DIRECTORY, journalPath } from "#consumer/history/base/layout.ts";
import { JOURNAL_HEADER_BYTES, encodeFrame, encodeJournalHeader } from "./frames.ts";

/** The journal of this process: nobody else writes to it. */
export interface JournalWriter {
  /** Resolves when the entry is durable. Entries that come while a sync runs share the next one. */
  append(entry: HistoryEntry): Promise<void>;
  /** The same for what is no end of an attempt. */
  appendAudit(audit: AuditRecord): Promise<void>;
  /**
   * Seals the present file: its last record says that nothing will follow. The next entry begins another. Fails with
   * the volume's errors; the file stays unsealed then.
   */
  rotate(): Promise<void>;
  /** The present file: its length in bytes (0 when there is none), and whether nothing came for so long that it ends. */
  readonly present: { readonly bytes: number; readonly idle: boolean };
  /** Rotates, for the last time: nothing may be appended afterwards. */
  seal(): Promise<void>;
  /** True for the file that this journal writes to. */
  owns(path: string): boolean;
}

export interface JournalWriterOptions {
  readonly files: Files;
  /** Of this pod's host: how long it slept shows only there. */
  readonly clock: Clock;
  /** What records are stamped with. */
  readonly volumeClock: Pick<Clock, "wallMs">;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Begins the name of the file. */
  readonly podUid: string;
  /** Others may delete a journal whose last record is older than this, once they have read it. */
  readonly retentionMs: number;
}

const IDLE_MS_MAX = 3_600_000;

/**
 * A journal is sealed, and another begun, when nothing came for this long. What becomes durable in a file that is older,
 * or whose last record is, is written to another one too.
 */
export function journalIdleMsMax(retentionMs: number): number {
  return Math.min(IDLE_MS_MAX, retentionMs / 2);
}

interface OpenFile {
  readonly path: string;
  readonly writable: WritableFile;
  bytes: number;
  /** At the last of its records; at its creation while it has none. */
  stamped: Moment;
}

/** By both clocks: the monotonic one stands still while a machine is suspended, the wall clock may be set back. */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

interface Waiting {
  readonly frame: Uint8Array;
  readonly stamped: Moment;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The file is made at the first entry. After any failed write what it holds is unknown, and it is left as it
 * is, unsealed: the next entry begins another. So does an entry that comes, or becomes durable, long after the last:
 * others may have taken the file for that of a dead writer and deleted it meanwhile.
 */
export function createJournalWriter(options: JournalWriterOptions): JournalWriter {
  const { files, clock, volumeClock, random, metrics, podUid } = options;
  const idleMsMax = journalIdleMsMax(options.retentionMs);
  const paths = new Set<string>();
  let file: OpenFile | undefined;
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;
  let sealed = false;

  const now = (): Moment => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() });

  const create = async (): Promise<OpenFile> => {
    const path = journalPath(podUid, random.nonce());
    paths.add(path);
    const stamped = now();
    let created: WritableFile | undefined;
    try {
      created = await files.createExclusive(path);
      await created.append(encodeJournalHeader());
      await files.syncDirectory(JOURNAL_DIRECTORY);
    } catch (error) {
      paths.delete(path);
      await created?.close().catch(() => undefined);
      throw error;
    }
    return { path, writable: created, bytes: JOURNAL_HEADER_BYTES, stamped };
  };

  const idleMs = ({ stamped }: OpenFile): number =>
    Math.max(clock.monotonicMs() - stamped.monotonicMs, clock.wallMs() - stamped.wallMs);

  const write = async (open: OpenFile, bytes: Uint8Array): Promise<void> => {
    try {
      await open.writable.append(bytes);
      const startMs = clock.monotonicMs();
      await open.writable.dataSync();
      metrics.observe("fsync", clock.monotonicMs() - startMs);
      open.bytes += bytes.length;
    } catch (error) {
      if (file === open) file = undefined;
      // From now on it is read like that of any other writer: what it holds is true, though nobody knows how much it is.
      paths.delete(open.path);
      await open.writable.close().catch(() => undefined);
      throw error;
    }
  };

  const seal = async (open: OpenFile): Promise<void> => {
    if (file === open) file = undefined;
    await write(open, encodeFrame({ kind: "seal" }));
    paths.delete(open.path);
    await open.writable.close();
  };

  const writeBatch = async (batch: readonly Waiting[]): Promise<void> => {
    const bytes = Buffer.concat(batch.map(({ frame }) => frame));
    for (;;) {
      if (file && idleMs(file) > idleMsMax) await seal(file);
      const open = (file ??= await create());
      await write(open, bytes);
      const slept = idleMs(open) > idleMsMax;
      open.stamped = batch.at(-1)?.stamped ?? open.stamped;
      if (!slept) return;
      // What is in it already is taken twice: nobody minds.
      await seal(open);
    }
  };

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await writeBatch(batch);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    flushing = undefined;
  };

  const append = (record: object): Promise<void> => {
    if (sealed) {
      // Whoever outlives the drain comes too late, as if the volume were gone: that is no fault of the process.
      return Promise.reject(
        new ConsumerError("history-unavailable", "The journal is sealed already"),
      );
    }
    return new Promise((resolve, reject) => {
      waiting.push({ frame: encodeFrame(record), stamped: now(), resolve, reject });
      flushing ??= flush();
    });
  };

  const rotate = async (): Promise<void> => {
    for (let running = flushing; running; running = flushing) await running;
    if (file) await seal(file);
  };

  return {
    append: (entry) => append({ kind: "entry", ...entry, journalledAtMs: volumeClock.wallMs() }),
    appendAudit: (audit) => append(audit),
    rotate,
    get present() {
      return { bytes: file?.bytes ?? 0, idle: file !== undefined && idleMs(file) > idleMsMax };
    },
    seal() {
      sealed = true;
      return rotate();
    },
    owns: (path) => paths.has(path),
  };
}
