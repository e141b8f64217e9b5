import { ConsumerError } from "#consumer/errors.ts";
import type { Clock, Files, Metrics, Random, WritableFile } from "#consumer/ports.ts";
import type { AuditRecord } from "#consumer/history/base/audit.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { JOURNAL_DIRECTORY, journalPath } from "#consumer/history/base/layout.ts";
import { JOURNAL_HEADER_BYTES, encodeFrame, encodeJournalHeader } from "./frames.ts";

/** Writes the journal of this process. Each process has its own. */
export interface JournalWriter {
  /** Appends an entry and resolves when it is durable. Entries that arrive during a sync share the next one. */
  append(entry: HistoryEntry): Promise<void>;
  /** Appends an audit record and resolves when it is durable. */
  appendAudit(audit: AuditRecord): Promise<void>;
  /**
   * Seals the present file with a last record that says that nothing follows; the next entry starts another file.
   * Throws the volume's errors and leaves the file unsealed then.
   */
  rotate(): Promise<void>;
  /** The length of the present file in bytes, 0 when there is none, and whether it has been idle too long to go on. */
  readonly present: { readonly bytes: number; readonly idle: boolean };
  /** Rotates for the last time; an append after it fails. */
  seal(): Promise<void>;
  /** Tells whether this process writes the file at that path. */
  owns(path: string): boolean;
}

export interface JournalWriterOptions {
  readonly files: Files;
  /** The clock of this pod's host, which alone shows how long the host was suspended. */
  readonly clock: Clock;
  /** The clock by which records are stamped. */
  readonly volumeClock: Pick<Clock, "wallMs">;
  readonly random: Random;
  readonly metrics: Metrics;
  /** The beginning of the name of the file. */
  readonly podUid: string;
  /** The age in milliseconds at which other pods may delete a journal that they have read. */
  readonly retentionMs: number;
}

const IDLE_MS_MAX = 3_600_000;

/**
 * Returns the time after which a journal without a new record is sealed, in milliseconds. A record that becomes durable
 * in a file that was idle for longer is written to a new file as well.
 */
export function journalIdleMsMax(retentionMs: number): number {
  return Math.min(IDLE_MS_MAX, retentionMs / 2);
}

interface OpenFile {
  readonly path: string;
  readonly writable: WritableFile;
  bytes: number;
  /** The moment of its last record, or of its creation while it has none. */
  stamped: Moment;
}

/**
 * A moment by both clocks: the monotonic clock stops while a machine is suspended, and the wall clock may be set back.
 */
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
 * The file is created at the first entry. After a failed write its content is unknown, so it is left unsealed and the
 * next entry starts another file. So does an entry that arrives, or becomes durable, long after the last one: other
 * pods may have taken the file for that of a dead writer and deleted it.
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
      // The file is now read like the journal of any other writer: whatever it holds is true.
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
      // Records that are in the old file already are merged twice, which changes nothing.
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
      // An action that outlives the drain comes too late. It fails as if the volume were gone, not as an internal
      // error.
      return Promise.reject(
        new ConsumerError("history-unavailable", "the journal is sealed already"),
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
