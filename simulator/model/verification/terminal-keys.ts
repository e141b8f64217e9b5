import type { ClusterTimes } from "#simulator/model/cluster/times.ts";
import { every, inTime, isDone, lastAttempt, mayBeTooOld, overMs } from "./attempt-selection.ts";
import type { Counts } from "./attempt-selection.ts";
import type { Ledger } from "./ledger.ts";
import type { PublishedDeadLetters } from "./published-dead-letters.ts";
import type { RetainedHistory } from "./retained-history.ts";

/** Decides which keys are terminal, and which of their files may be deleted. */
export interface TerminalKeys {
  /** Returns true when the key is done or its dead letter is published. */
  readonly isTerminal: (key: string, counts?: Counts) => boolean;
  /**
   * Returns true when the record of the key may be committed although the key is not terminal,
   * since it is too old to begin.
   */
  readonly isLeftToSweep: (key: string) => boolean;
  /** Returns true when the files of the attempt may be gone. */
  readonly mayDelete: (key: string, attempt: number) => boolean;
  /** The keys for which `isLeftToSweep` has returned true. */
  readonly leftToSweep: ReadonlySet<string>;
}

export function createTerminalKeys({
  ledger,
  retained,
  deadLetters,
  times,
}: {
  readonly ledger: Ledger;
  readonly retained: RetainedHistory;
  readonly deadLetters: PublishedDeadLetters;
  readonly times: ClusterTimes;
}): TerminalKeys {
  /**
   * Keys whose record was committed because they were too old to begin. Files that exist all the
   * same, because another clock or a cache saw it differently, are completed by the sweep of old
   * claims.
   */
  const leftToSweep = new Set<string>();

  /** `counts` selects the attempts that are considered. */
  const isTerminal = (key: string, counts: Counts = every): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts) return false;
    const { attempts, planned } = facts;
    deadLetters.read();
    if (deadLetters.belowHorizon.has(key)) return true;
    if ([...attempts.values()].some(({ outcome }) => outcome?.durable && isDone(outcome))) {
      return true;
    }
    // The journal of a late owner says so, which replaces the dead letter that another pod would
    // write.
    if (retained.hasJournalledDone(key)) return true;
    const last = lastAttempt(facts, counts);
    const end = attempts.get(last)?.outcome;
    if (!end?.durable) return false;
    const mayGoOn =
      end.outcome === "failed-not-applied" || (end.outcome === "in-doubt" && planned.idempotent);
    if (mayGoOn && last < planned.attemptsMax && !mayBeTooOld(facts, times.latestMs())) {
      return false;
    }
    return deadLetters.has(`${key}.${last}`);
  };

  const isLeftToSweep = (key: string): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts || !mayBeTooOld(facts, times.latestMs())) return false;
    leftToSweep.add(key);
    return true;
  };

  /**
   * Returns true when the attempt is final and so old that no clock lets a process begin it again.
   */
  const mayDelete = (key: string, attempt: number): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts) return false;
    if (times.latestMs() <= overMs(facts)) return false;
    const { claim, outcome } = facts.attempts.get(attempt) ?? {};
    // The claim was lost with the power before any process relied on it, and without it an outcome
    // means nothing.
    if (!claim) return true;
    return outcome?.durable === true && (isTerminal(key) || isTerminal(key, inTime(facts)));
  };

  return { isTerminal, isLeftToSweep, mayDelete, leftToSweep };
}
