import type { Clock, DependencyState, Files, Log, Metrics, Random } from "../ports.ts";
import type { Claims } from "./claims.ts";
import type { HistoryEntry } from "./entry.ts";

export interface Pod {
  /** For people: POD_NAME. */
  readonly name: string;
  /** Distinguishes two pods of one name: POD_UID. */
  readonly uid: string;
}

export interface HistorySettings {
  /** Refuse a directory that is not a mount of its own. Default true. */
  readonly requireMount: boolean;
  /** Upper bound of the age of a change that automation_action_history.json does not show yet, while the volume works. */
  readonly publishIntervalMs: number;
  /** How often the volume is probed for writing. Default 5000. */
  readonly probeIntervalMs?: number;
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
  /** Not ready while any operation on the volume fails. */
  readonly state: DependencyState;
  /**
   * The end of a key, when it is settled: done, or another end whose dead letter was acknowledged.
   * undefined proves nothing: only the claims do.
   */
  lookup(key: string): HistoryEntry | undefined;
  /** Journals the end of a key; resolves when it is durable. Call it after the outcome is. */
  record(entry: HistoryEntry, giveUp?: AbortSignal): Promise<void>;
  /**
   * Runs a storage operation until it succeeds, with backoff; not ready meanwhile. Rethrows what is no storage
   * error. When `giveUp` aborts while it waits: throws the signal's reason.
   */
  hold<T>(what: string, operation: () => Promise<T>, giveUp: AbortSignal): Promise<T>;
  /** Publishes what changed, seals the journal and stops every timer. Idempotent. */
  close(): Promise<void>;
}

/**
 * Recovers the history of the volume. Throws "history-not-mounted", "history-unavailable" (retriable) or
 * "history-unreadable" (a newer format).
 */
export function openHistory(_dependencies: HistoryDependencies): Promise<History> {
  throw new Error("under construction");
}
