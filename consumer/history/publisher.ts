import { hasCode } from "../errors.ts";
import type { Clock, Files, Log, Metrics } from "../ports.ts";
import type { VolumeHealth } from "./health.ts";
import type { HistoryIndex } from "./index.ts";
import type { Journals } from "./journals.ts";
import { publish } from "./publication.ts";
import type { TemporaryFiles } from "./temporary.ts";

const WHAT = "publish automation_action_history.json";

export interface Publisher {
  /** The index holds something that the published view may lack. */
  changed(): void;
  /** Publishes what is not published yet, once. */
  stop(): Promise<void>;
}

export interface PublisherOptions {
  readonly files: Files;
  readonly temporary: TemporaryFiles;
  readonly journals: Journals;
  readonly index: HistoryIndex;
  readonly health: VolumeHealth;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly intervalMs: number;
}

/**
 * Publishes at most once an interval, and nothing while nothing changed. Every view is a union: the journals
 * of the other pods are read first, and once more after it: an entry that another pod published in between, and
 * that this view replaced without it, is found then and published again.
 */
export function startPublisher(options: PublisherOptions): Publisher {
  const { files, temporary, journals, index, health, clock, log, metrics, intervalMs } = options;
  const stopping = new AbortController();
  let dirty = true;
  let verify = false;
  let refused = false;

  const publishChanges = async (): Promise<void> => {
    if (refused || !(dirty || verify)) return;
    await journals.refresh((entry) => {
      if (index.merge(entry)) dirty = true;
    });
    verify = dirty;
    if (!dirty) return;
    dirty = false;
    metrics.gauge("history_entries", index.size);
    try {
      await publish({ files, temporary, publishedAtMs: clock.wallMs() }, index.entries());
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
      if (hasCode(error, "history-unreadable")) {
        // A newer version has joined: its view holds more than ours would.
        refused = true;
        log.error("history.publication.refused", { error });
        return;
      }
      health.failed(WHAT, error);
    }
  };

  const run = async (): Promise<void> => {
    for (;;) {
      await tick();
      await clock.sleep(intervalMs, stopping.signal);
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
      if (verify) await tick();
    },
  };
}
