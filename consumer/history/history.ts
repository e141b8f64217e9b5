import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Clock, DependencyState, Files, Log, Metrics, Random } from "#consumer/ports.ts";
import { createClaims } from "./claims/claims.ts";
import type { Claims } from "./claims/claims.ts";
import { compact } from "./maintenance/compaction.ts";
import type { CompactionResult } from "./maintenance/compaction.ts";
import type { HistoryEntry } from "./base/entry.ts";
import { createGenerationReader, createGenerationWriter } from "./snapshot/generations.ts";
import { createVolumeHealth } from "./base/health.ts";
import type { VolumeHealth } from "./base/health.ts";
import { createHorizon } from "./maintenance/horizon.ts";
import type { HorizonDurations } from "./maintenance/horizon.ts";
import { createPause } from "./control/pause.ts";
import type { PauseDurations } from "./control/pause.ts";
import type { PauseOrder } from "./control/pause-file.ts";
import { startPauseWatch } from "./control/watch-pause.ts";
import { isImportMissing, readImport } from "./import/import-history.ts";
import type { ImportSettings } from "./import/import-history.ts";
import { importedKey, renderImportKey } from "./import/import-key.ts";
import type { ImportedAction } from "./import/import-key.ts";
import { createHistoryIndex } from "./index/history-index.ts";
import { createJournalWriter } from "./journal/journal-writer.ts";
import { createJournalReader } from "./journal/journal-reader.ts";
import { startProbe } from "./base/probe.ts";
import { proveVolume } from "./base/prove-volume.ts";
import { startViewPublisher } from "./view/view-publisher.ts";
import { putAsideEmptyView } from "./maintenance/put-aside.ts";
import { startMaintenance } from "./start-maintenance.ts";
import type { Sweeping, SweepingOptions } from "./start-maintenance.ts";
import type { Sweeper } from "./maintenance/sweeper.ts";
import { createAtomicFiles } from "./base/atomic-files.ts";
import {
  CLAIMS_DIRECTORY,
  SNAPSHOT_DIRECTORY,
  JOURNAL_DIRECTORY,
  VIEW_FILE,
  TEMPORARY_DIRECTORY,
} from "./base/layout.ts";
import { createHistorySync } from "./index/history-sync.ts";
import { createVolumeClock } from "./base/volume-clock.ts";
import type { VolumeClock } from "./base/volume-clock.ts";

export interface Pod {
  /** The name of the pod, POD_NAME, for people to read. */
  readonly name: string;
  /** The uid of the pod, POD_UID, which distinguishes two pods of one name. */
  readonly uid: string;
}

interface HistorySettings {
  /** When true, a directory that is not a mount of its own is refused. */
  readonly requireMount: boolean;
  /** The path of the volume, for messages. Defaults to "history.directory". */
  readonly directory?: string;
  /** The time within which automation_action_history.json shows a change while the volume works, in milliseconds. */
  readonly publishIntervalMs: number;
  /** The largest allowed difference between this pod's clock and the volume's, in milliseconds. Defaults to 60000. */
  readonly clockSkewMsMax?: number;
  /** The pause between two write probes, and the longest time that one may take, in milliseconds. Defaults to 5000. */
  readonly probeIntervalMs?: number;
  /**
   * The time for which an end is kept and shown, in milliseconds: at least as long as its event may be acted on.
   * Defaults to two days.
   */
  readonly retentionMs?: number;
  /** The history of an older consumer to take over. Defaults to none; the file of an older consumer is refused then. */
  readonly import?: ImportSettings;
  /** The durations of the horizon. Defaults to those of production. */
  readonly horizon?: HorizonDurations;
  /** The durations of the pause. Defaults to those of production. */
  readonly pause?: PauseDurations;
}

export interface HistoryDependencies {
  /** Rooted at the history directory. */
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pod: Pod;
  readonly settings: HistorySettings;
}

export interface History extends AsyncDisposable {
  readonly claims: Claims;
  /** The clock by which ages are measured and records are stamped. */
  readonly clock: VolumeClock;
  /**
   * Returns the horizon: the `startedOn` up to which claims may have been swept, see `Horizon.read`. Tries once. Throws
   * "clock-beyond-skew" as well.
   */
  readHorizon(): Promise<number>;
  /** Tells whether an operator has paused the work. */
  readonly pause: HistoryPause;
  /** Not ready while any operation on the volume fails or gets no answer. */
  readonly state: DependencyState;
  /**
   * Returns the final end of a key: `done`, or another end whose dead letter was acknowledged. An answer of undefined
   * proves nothing; only the claims do.
   */
  lookup(key: string): HistoryEntry | undefined;
  /** Returns the end that was imported for this action, found by the key that `import.keyTemplate` gives it. */
  lookupImported(action: ImportedAction): HistoryEntry | undefined;
  /** Journals the end of a key and resolves when the entry is durable. Call it after the outcome is durable. */
  record(entry: HistoryEntry, giveUp: AbortSignal): Promise<void>;
  /**
   * Runs an operation on the volume until it succeeds, with backoff; the history is not ready meanwhile. Rethrows at
   * once any error that is not the volume's. Throws `giveUp.reason` when that aborts between two tries.
   */
  retry: VolumeHealth["retry"];
  /** Merges the journals into the next generation at once, however little is new. Tries once. */
  compact(): Promise<CompactionResult>;
  /**
   * Starts the maintenance of the volume, in small rounds until `stopping` aborts or `close` is called: compaction, old
   * claims, temporary files of dead pods. Call it at most once.
   */
  startSweeping(options: SweepingOptions): Sweeping;
  /**
   * Publishes the last changes, seals the journal and stops every timer. Idempotent. A volume that hangs is abandoned
   * after 5 seconds.
   */
  close(): Promise<void>;
}

/** The pause, as the last order of an operator says. */
interface HistoryPause {
  /** The order that was read last; undefined when the last reading failed. */
  readonly known: PauseOrder | undefined;
  /** Returns the order as it was at most `readingMsMax` ago, see `Pause.read`. Tries once. */
  read(): Promise<PauseOrder>;
  /** The longest time for which a reading is used, in milliseconds. */
  readonly readingMsMax: number;
}

const CLOSE_MS_MAX = 5000;
const RETENTION_MS = 2 * 86_400_000;
const CLOCK_SKEW_MS_MAX = 60_000;

/**
 * Proves the volume, recovers its history and starts what keeps the published view up to date. Throws
 * "history-not-mounted", "history-unavailable" or "clock-beyond-skew" (both retriable), or "history-unreadable" for a
 * newer format.
 */
export async function openHistory(dependencies: HistoryDependencies): Promise<History> {
  const { files, random, log, metrics, settings } = dependencies;
  const { clock: hostClock } = dependencies;
  const podUid = dependencies.pod.uid.replaceAll(/[^\w.-]/g, "_");
  const writer = `${podUid}-${random.nonce()}`;
  const { retentionMs = RETENTION_MS } = settings;
  const { probeIntervalMs = 5000 } = settings;
  const answerMsMax = 2 * probeIntervalMs;
  const health = createVolumeHealth({ clock: hostClock, random, log, metrics, answerMsMax });
  const atomicFiles = createAtomicFiles({
    files,
    writer,
    observer: { clock: hostClock, health, metrics },
  });
  const clock = createVolumeClock({
    files,
    atomicFiles,
    clock: hostClock,
    clockSkewMsMax: settings.clockSkewMsMax ?? CLOCK_SKEW_MS_MAX,
  });
  const journal = createJournalWriter({
    files,
    clock: hostClock,
    volumeClock: clock,
    random,
    metrics,
    podUid,
    retentionMs,
  });
  const horizon = createHorizon({
    files,
    atomicFiles,
    clock: hostClock,
    random,
    log,
    podUid,
    durations: settings.horizon,
  });
  const { pause: durations } = settings;
  const pause = createPause({ ...dependencies, atomicFiles, writer, durations });
  const isOwn = (path: string): boolean => journal.owns(path);
  const journals = createJournalReader({ files, clock, log, metrics, isOwn });
  const generations = {
    ...createGenerationReader({ files, log, metrics }),
    ...createGenerationWriter(files, atomicFiles),
  };
  const index = createHistoryIndex();
  const historySync = createHistorySync({ journals, generations, index, clock, retentionMs });

  const compaction = {
    files,
    generations,
    journals,
    index,
    historySync,
    clock,
    log,
    retentionMs,
  };
  const isImported = settings.import?.file === VIEW_FILE;
  const takeOver = async (): Promise<void> => {
    await putAsideEmptyView({ files, clock, log, metrics, isImported });
    const found = await readImport({
      files,
      atomicFiles,
      log,
      settings: settings.import,
    });
    if (!found) return;
    for (const entry of found.entries) index.merge(entry);
    await compact(compaction);
    await found.finish();
  };

  const startMs = clock.monotonicMs();
  await recover(dependencies, async () => {
    await proveVolume(files, atomicFiles);
    await clock.compare();
    await historySync.refresh();
    await horizon.begin();
    await pause.begin();
    await takeOver();
    if (await isImportMissing({ files, settings: settings.import })) {
      log.warn("history.import.missing", { file: settings.import?.file });
    }
  });
  const durationMs = Math.round(clock.monotonicMs() - startMs);
  const { generation } = historySync;
  log.info("history.recovered", { entries: index.size, generation, durationMs });

  const publisher = startViewPublisher({
    files,
    atomicFiles,
    historySync,
    index,
    health,
    clock,
    log,
    metrics,
    intervalMs: settings.publishIntervalMs,
    before: takeOver,
  });
  const pauseWatch = startPauseWatch({ pause, health, clock, intervalMs: probeIntervalMs });
  await pauseWatch.looked;
  const probe = startProbe({
    health,
    clock,
    intervalMs: probeIntervalMs,
  });

  const claims = createClaims({ files, atomicFiles, clock, metrics });
  const record = async (entry: HistoryEntry, giveUp: AbortSignal): Promise<void> => {
    await health.retry("append to the journal", () => journal.append(entry), giveUp);
    if (index.merge(entry)) publisher.changed();
  };
  let sweeper: Sweeper | undefined;
  const startSweeping = (sweeping: SweepingOptions): Sweeping => {
    sweeper = startMaintenance(
      {
        files,
        claims,
        horizon,
        pause,
        index,
        record,
        journal,
        compaction,
        clock,
        random,
        log,
        metrics,
        pod: dependencies.pod.name,
      },
      sweeping,
    );
    return sweeper;
  };

  const finish = async (): Promise<void> => {
    await sweeper?.stop();
    await Promise.all([probe.stop(), publisher.stop(), pauseWatch.stop()]);
    await pause.end();
    try {
      await journal.seal();
    } catch (error) {
      log.warn("history.journal.unsealed", { error });
    }
  };
  const close = async (): Promise<void> => {
    const finished = new AbortController();
    const patience = clock.sleep(CLOSE_MS_MAX, finished.signal).then(
      () => log.warn("history.close.abandoned", { afterMs: CLOSE_MS_MAX }),
      () => undefined,
    );
    await Promise.race([finish(), patience]);
    finished.abort();
  };
  let closing: Promise<void> | undefined;
  const closeOnce = (): Promise<void> => (closing ??= close());

  return {
    claims,
    clock,
    async readHorizon() {
      clock.assertAgrees();
      return horizon.read();
    },
    pause,
    get state() {
      return health.state;
    },
    lookup: (key) => index.findFinal(key),
    lookupImported: (action) =>
      settings.import &&
      index.findFinal(importedKey(renderImportKey(settings.import.keyTemplate, action))),
    record,
    retry: (what, operation, giveUp) => health.retry(what, operation, giveUp),
    async compact() {
      await journal.rotate();
      return compact(compaction);
    },
    startSweeping,
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}

async function recover(
  { files, settings }: HistoryDependencies,
  read: () => Promise<void>,
): Promise<void> {
  try {
    if (settings.requireMount && !(await files.isMount())) {
      throw new ConsumerError(
        "history-not-mounted",
        `${settings.directory ?? "history.directory"} is not a mount of its own, ` +
          "so its content would be lost with the container (history.requireMount)",
      );
    }
    for (const directory of [
      CLAIMS_DIRECTORY,
      JOURNAL_DIRECTORY,
      SNAPSHOT_DIRECTORY,
      TEMPORARY_DIRECTORY,
    ]) {
      await files.makeDirectory(directory);
    }
    await read();
  } catch (error) {
    if (!(error instanceof Error) || systemCode(error) === undefined) throw error;
    throw new ConsumerError("history-unavailable", `history volume: ${error.message}`, {
      cause: error,
    });
  }
}
