import { ConsumerError, hasCode, systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Metrics } from "#consumer/ports.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import type { VolumeHealth } from "#consumer/history/base/health.ts";
import type { HistoryIndex } from "#consumer/history/index/history-index.ts";
import { isNoFile } from "#consumer/history/base/format.ts";
import { publish, readViewHead } from "./view-file.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";
import type { HistorySync } from "#consumer/history/index/history-sync.ts";

const WHAT = "publish automation_action_history.json";

/** A large view is written less often, so that writing it takes a few percent of the time at most. */
const PAUSE_MS_PER_ENTRY = 0.1;

/** A larger view is not written during a stop; the next pod to start publishes it. */
const STOP_ENTRIES_MAX = 20_000;

export interface Publisher {
  /** Reports that the index holds something that the published view may lack. */
  changed(): void;
  /** Publishes the last changes once, unless the view is large, and stops. */
  stop(): Promise<void>;
}

export interface ViewPublisherOptions {
  readonly files: Files;
  readonly atomicFiles: AtomicFiles;
  readonly historySync: HistorySync;
  readonly index: HistoryIndex;
  readonly health: VolumeHealth;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The pause between two publications while the history is small, in milliseconds. */
  readonly intervalMs: number;
  /** Called before every publication. When it fails nothing is published. */
  readonly before: () => Promise<void>;
}

/**
 * Publishes at most once per interval, and only when something changed. It publishes for the first time when the
 * interval of the view that it found is over. The journals of the other pods are read once per interval, whether or
 * not this pod has anything to publish. So an end is shown even when its pod died before it could publish it, and an
 * entry that a slower publication replaced comes back.
 */
export function startViewPublisher(options: ViewPublisherOptions): Publisher {
  const { files, atomicFiles, historySync, index, health, clock, log, metrics, intervalMs } =
    options;
  const stopping = new AbortController();
  let dirty = true;
  /** The value of `historySync.changes` that is published or about to be. */
  let seen = historySync.changes;
  let published = false;
  /** The time at which the journals were read for the last view that was seen, by the clock of its pod. */
  let latestMs = 0;
  let refused = false;
  let pauseMs = intervalMs;

  const tooLarge = (): boolean => stopping.signal.aborted && index.size > STOP_ENTRIES_MAX;

  function* whileWanted(entries: Iterable<HistoryEntry>): Generator<HistoryEntry> {
    for (const entry of entries) {
      if (tooLarge()) throw new ConsumerError("internal", "too large to be published at a stop");
      yield entry;
    }
  }

  /** Returns the time of the present view, or undefined when there is none or it was not written by a pod. */
  const publishedAtMs = async (): Promise<number | undefined> => {
    try {
      return (await readViewHead(files))?.publishedAtMs;
    } catch (error) {
      if (systemCode(error) === "ENOENT" || isNoFile(error)) return undefined;
      throw error;
    }
  };

  /**
   * Tells whether the view is older than the last one that was seen. A rename that timed out can be applied late and
   * bring back an old view, and a person can remove the view.
   */
  const isOlder = async (): Promise<boolean> => {
    const shownMs = await publishedAtMs();
    if (shownMs === undefined) return true;
    const older = shownMs < latestMs;
    latestMs = shownMs;
    return older;
  };

  const publishChanges = async (): Promise<void> => {
    published = false;
    if (refused || tooLarge()) return;
    // The view may lack whatever other pods record after this moment. The time is taken first, because this pod can be
    // suspended between reading and writing.
    const readAtMs = clock.wallMs();
    await historySync.refresh();
    if (await isOlder()) dirty = true;
    if (!dirty && historySync.changes === seen) return;
    await options.before();
    seen = historySync.changes;
    dirty = false;
    metrics.gauge("history_entries", index.size);
    pauseMs = intervalNowMs();
    const head = { publishedAtMs: readAtMs, freshnessMs: pauseMs };
    try {
      await publish({ files, atomicFiles, head }, whileWanted(index.entries()));
      published = true;
      latestMs = head.publishedAtMs;
    } catch (error) {
      dirty = true;
      throw error;
    }
  };

  const tick = async (): Promise<void> => {
    try {
      await publishChanges();
      health.recovered(WHAT);
    } catch (error) {
      if (tooLarge()) return;
      if (hasCode(error, "history-unreadable")) {
        // A newer version writes the view now, and its view holds more than ours would.
        refused = true;
        log.error("history.publication.refused", { error });
        return;
      }
      health.failed(WHAT, error);
    }
  };

  const intervalNowMs = (): number =>
    Math.max(intervalMs, Math.ceil(index.size * PAUSE_MS_PER_ENTRY));

  /** Returns the time until the present view is due for replacement, whether or not its pod still runs. */
  const dueInMs = async (): Promise<number> => {
    const shownMs = await publishedAtMs().catch(() => undefined);
    if (shownMs === undefined) return 0;
    return Math.min(Math.max(0, shownMs + intervalNowMs() - clock.wallMs()), intervalNowMs());
  };

  const run = async (): Promise<void> => {
    await clock.sleep(await dueInMs(), stopping.signal);
    for (;;) {
      await tick();
      await clock.sleep(pauseMs, stopping.signal);
    }
  };

  const running = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    changed() {
      dirty = true;
    },
    async stop() {
      stopping.abort();
      await running;
      await tick();
      // Every publication is followed by a check that it was not replaced by an older view.
      if (published) await tick();
    },
  };
}
