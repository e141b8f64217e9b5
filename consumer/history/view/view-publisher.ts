import { systemCode } from "#consumer/errors.ts";
import { ConsumerError, hasCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Metrics } from "#consumer/ports.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import type { VolumeHealth } from "#consumer/history/base/health.ts";
import type { HistoryIndex } from "#consumer/history/index/history-index.ts";
import { isNoFile } from "#consumer/history/base/format.ts";
import { publish, readViewHead } from "./view-file.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";
import type { HistorySync } from "#consumer/history/index/history-sync.ts";

const WHAT = "publish automation_action_history.json";

/** The view is written as a whole: a large one less often, so that it takes a few percent of the time at most. */
const PAUSE_MS_PER_ENTRY = 0.1;

/** A stop does not wait for a larger view: who starts next publishes it. */
const STOP_ENTRIES_MAX = 20_000;

export interface Publisher {
  /** The index holds something that the published view may lack. */
  changed(): void;
  /** Publishes what is not published yet, once, unless that takes long. */
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
  /** Between two publications, while the history is small. */
  readonly intervalMs: number;
  /** Called in front of every publication; when it fails nothing is published. */
  readonly before: () => Promise<void>;
}

/**
 * Publishes at most once an interval, and nothing while nothing changed; for the first time when the interval of the view
 * that it found is over. Every view is a union: the journals of the other
 * pods are read once an interval, whether or not this one has anything to publish. So an end is shown though its pod died
 * before it did that, and one that another pod published in between, and that this view replaced without it, comes back.
 */
export function startViewPublisher(options: ViewPublisherOptions): Publisher {
  const { files, atomicFiles, historySync, index, health, clock, log, metrics, intervalMs } =
    options;
  const stopping = new AbortController();
  let dirty = true;
  /** Changes of the union that are published, or about to be. */
  let seen = historySync.changes;
  let published = false;
  /** When the journals were read for the view that stood there last, by the clock of its pod. */
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

  /** Of the view that stands there; undefined when there is none, or it is no pod's of this kind. */
  const publishedAtMs = async (): Promise<number | undefined> => {
    try {
      return (await readViewHead(files))?.publishedAtMs;
    } catch (error) {
      if (systemCode(error) === "ENOENT" || isNoFile(error)) return undefined;
      throw error;
    }
  };

  /**
   * A rename that was given up can land late, and bring back a view that was replaced long ago; a hand can take the view
   * away.
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
    // The view may lack whatever other pods record after this moment. This pod can stand still between reading and writing, so it is taken first.
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
        // A newer version has joined: its view holds more than ours would.
        refused = true;
        log.error("history.publication.refused", { error });
        return;
      }
      health.failed(WHAT, error);
    }
  };

  const intervalNowMs = (): number =>
    Math.max(intervalMs, Math.ceil(index.size * PAUSE_MS_PER_ENTRY));

  /** What it lacks was to be shown by then by the pod that published it, whether or not that lives. */
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
      // The look back that follows every publication.
      if (published) await tick();
    },
  };
}
