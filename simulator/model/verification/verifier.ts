import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { VIEW_FILE } from "#consumer/history/base/layout.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import type { ModelEndpoint } from "#simulator/model/cluster/action-endpoint.ts";
import type { ModelBroker } from "#simulator/model/cluster/broker.ts";
import type { ModelPod } from "#simulator/model/cluster/pod.ts";
import type { ClusterTimes } from "#simulator/model/cluster/times.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { AgeLimits } from "#simulator/model/settings.ts";
import {
  endsOf,
  every,
  inTime,
  isDone,
  lastAttempt,
  mayBeTooOld,
  underMs,
} from "./attempt-selection.ts";
import type { Violate } from "./invariants.ts";
import type { Ledger } from "./ledger.ts";
import { createPublishedDeadLetters } from "./published-dead-letters.ts";
import type { RetainedHistory } from "./retained-history.ts";
import { createTerminalKeys } from "./terminal-keys.ts";
import { createVerifySend } from "./verify-send.ts";
import type { VerifySend } from "./verify-send.ts";

/** The process that acts. */
type Process = Pick<ModelPod, "who" | "clock">;

export interface Verifier {
  readonly onSend: VerifySend;
  onLookup(pod: Process, key: string, entry: HistoryEntry): void;
  onJournalled(entry: HistoryEntry): void;
  onCommit(partition: number, next: number, own: boolean): void;
  /** Verifies the state after a step. */
  afterStep(): void;
  /**
   * Verifies the state after all faults have ended and all pods have stopped. With `swept`, all
   * claims are old and were swept.
   */
  onRunEnd(swept: boolean): void;
  /** Returns true when the key is done or its dead letter is published. */
  isTerminal(key: string): boolean;
}

export interface VerifierOptions {
  readonly volume: MemoryVolume;
  readonly ledger: Ledger;
  readonly retained: RetainedHistory;
  readonly broker: () => ModelBroker;
  readonly endpoint: () => ModelEndpoint;
  readonly times: ClusterTimes;
  /** Returns the limits of the process whose limits are the highest. */
  readonly limits: () => AgeLimits;
  readonly violate: Violate;
}

export function createVerifier(options: VerifierOptions): Verifier {
  const { volume, ledger, retained, broker, endpoint, times, limits, violate } = options;
  const { latestMs } = times;
  const deadLetters = createPublishedDeadLetters({ volume, ledger, broker, violate });
  const { isTerminal, isLeftToSweep, mayDelete, leftToSweep } = createTerminalKeys({
    ledger,
    retained,
    deadLetters,
    times,
  });
  let effectsVerified = 0;
  let view: Uint8Array | undefined;
  let viewKeys = new Set<string>();
  /**
   * Keys that may have been too old when their record was committed. The process that committed it
   * may not know their outcome.
   */
  const committedOld = new Set<string>();

  const readView = (): void => {
    const file = volume.file(VIEW_FILE);
    if (!file || file.bytes === view) return;
    view = file.bytes;
    try {
      const value: { entries: object } = JSON.parse(new TextDecoder().decode(view));
      viewKeys = new Set(Object.keys(value.entries));
    } catch (error) {
      violate("the contract file always parses", String(error));
    }
  };

  return {
    isTerminal,
    onSend: createVerifySend({ ledger, times, limits, violate, mayDelete }),
    onLookup(pod, key, { attempt, outcome }) {
      const facts = ledger.keys.get(key);
      const known = endsOf(facts?.attempts.get(attempt));
      const isFinal =
        outcome === "done"
          ? known.some(isDone) || facts?.answered.has("done")
          : deadLetters.has(`${key}.${attempt}`) &&
            (deadLetters.belowHorizon.has(key) ||
              known.some((end) => end.outcome === outcome && end.durable));
      if (!isFinal) violate("the index returns only final outcomes", `${pod.who}: ${outcome}`);
    },
    onJournalled({ key, attempt, outcome, deadLetterAcknowledged, pod }) {
      const facts = ledger.keys.get(key);
      const known = endsOf(facts?.attempts.get(attempt));
      const asItsFile = known.some((end) => end.durable && end.outcome === outcome);
      // A late owner records its own result beside the outcome file, which another process wrote.
      const isLate = known.some((end) => end.outcome !== outcome);
      const isTrue = outcome !== "done" || facts?.answered.has("done") === true;
      const isFinal = deadLetterAcknowledged
        ? deadLetters.has(`${key}.${attempt}`) && (asItsFile || deadLetters.belowHorizon.has(key))
        : asItsFile || (isLate && isTrue);
      if (!isFinal) violate("a journal holds only final outcomes", `${pod}: ${outcome} of ${key}`);
    },
    onCommit(partition, next, own) {
      const where = `partition ${partition}, offset ${next}`;
      if (!own) violate("nothing is committed for a partition that is not assigned", where);
      ledger.scan(mayDelete);
      const records = ledger.records(partition).slice(0, next);
      for (const { keys } of records.slice(broker().partitions[partition]?.committed)) {
        for (const key of keys) {
          const facts = ledger.keys.get(key);
          if (facts && mayBeTooOld(facts, latestMs())) committedOld.add(key);
        }
      }
      for (const { record, keys, undecodable } of records) {
        const terminal = undecodable
          ? deadLetters.has(`${record.partition}/${record.offset}`)
          : keys.every((key) => isTerminal(key) || isLeftToSweep(key));
        if (!terminal) {
          violate(
            "the committed offset never passes the first record that is not terminal",
            `${where}: ${record.offset} is not`,
          );
        }
      }
    },
    afterStep() {
      ledger.scan(mayDelete);
      deadLetters.read();
      readView();
      if (endpoint().effectCount === effectsVerified) return;
      effectsVerified = endpoint().effectCount;
      for (const [key, { planned }] of ledger.keys) {
        if (planned.idempotent || endpoint().effects(key) <= 1) continue;
        violate("a key has at most one effect, unless it is declared idempotent", key);
      }
    },
    onRunEnd(swept) {
      deadLetters.read();
      for (const [key, facts] of ledger.keys) {
        const { attempts, planned } = facts;
        const claimed = [...attempts.values()].some(({ claim }) => claim);
        if (leftToSweep.has(key) && !(claimed && swept)) continue;
        const where = `${key}: ${planned.rule}/${planned.action} of ${planned.incident.id}`;
        // One pod ended the key as too old while another, which had been paused, linked an attempt.
        // The next sweep ends it.
        const counts = swept || isTerminal(key) ? every : inTime(facts, underMs(facts));
        const last = lastAttempt(facts, counts);
        if (!isTerminal(key, counts)) {
          violate("every matched event becomes terminal when faults stop", where);
        }
        if (!claimed) continue;
        const end = attempts.get(last)?.outcome;
        const due = end !== undefined && !isDone(end) && !retained.hasJournalledDone(key);
        if (due && !deadLetters.has(`${key}.${last}`)) {
          violate("every dead-letter outcome reaches the dead letter", `${where}: ${end.outcome}`);
        }
        // Journals are caches: what was read from one before it was synced may be lost with the
        // power.
        const endedMs = Math.max(planned.incident.startedOnMs, end?.atMs ?? 0);
        const kept = latestMs() - endedMs < DURATIONS.retentionMs - DURATIONS.clockSkewMsMax;
        // The next sweep finds an outcome that no process knows of.
        const shown = kept && (swept || !committedOld.has(key));
        if (shown && !volume.lostPower && !viewKeys.has(key)) {
          violate("the contract file shows the outcome of every key", where);
        }
      }
      for (const [partition, { committed, log }] of broker().partitions.entries()) {
        if (committed === log.length) continue;
        violate(
          "every matched event becomes terminal when faults stop",
          `partition ${partition} is committed up to ${committed} of ${log.length}`,
        );
      }
    },
  };
}
