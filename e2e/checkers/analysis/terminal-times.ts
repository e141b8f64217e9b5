import { lastAttemptOf, outcomeFileOf, recordName } from "./indexed-history.ts";
import type { ActionEvents, IndexedHistory, PartitionEvents, Indexed } from "./indexed-history.ts";
import { secondsAt } from "./wording.ts";
import type { Ended, Published } from "#e2e/checkers/history-event.ts";

/**
 * The reason of an `ended` event that the owner of an attempt logs when it learns the result after
 * another pod has called the attempt in doubt.
 */
export const LATE_REASON = "late";

/**
 * Returns true when the event makes it certain that the action is done: the outcome is on the
 * volume, or the late owner reported it.
 */
export function isDone({ from, outcome, reason }: Ended): boolean {
  return outcome === "done" && (from === "file" || reason === LATE_REASON);
}

const known = new WeakMap<ActionEvents, number | undefined>();

/**
 * Returns the time at which the action became terminal, in milliseconds: its outcome `done` was on
 * the volume, its dead letter was in the topic, a pod found it too old to begin, or its late owner
 * reported it done. Returns undefined when it never did.
 */
export function terminalMs(action: ActionEvents): number | undefined {
  if (known.has(action)) return known.get(action);
  const times = [
    ...action.neverBegun.map(({ atMs }) => atMs),
    ...action.deadLetters.map(({ atMs }) => atMs),
  ];
  for (const { outcomes } of action.attempts.values()) {
    for (const ended of outcomes) if (isDone(ended)) times.push(ended.atMs);
  }
  const first = times.length === 0 ? undefined : Math.min(...times);
  known.set(action, first);
  return first;
}

/**
 * Returns the time at which all actions of the record were terminal, or the dead letter of a record
 * that cannot be decoded was published. Returns -Infinity when there is nothing to do.
 */
export function recordTerminalMs(
  record: Indexed<Published>,
  actions: readonly ActionEvents[],
  deadLetters: IndexedHistory["recordDeadLetters"],
): number | undefined {
  const own = deadLetters.get(recordName(record)) ?? [];
  if (record.incident === null) return own.length === 0 ? undefined : own[0]?.atMs;
  let last = Number.NEGATIVE_INFINITY;
  for (const action of actions) {
    const atMs = terminalMs(action);
    // A dead letter about the whole record, such as one that is too large, ends all its actions.
    if (atMs === undefined) return own[0]?.atMs;
    last = Math.max(last, atMs);
  }
  return last;
}

/**
 * Returns true for a position that an operator ordered to skip. The dead letter names the first of
 * them.
 */
export function isSkipped(
  { offset }: Indexed<Published>,
  { deadLetters }: { deadLetters: PartitionSkips },
): boolean {
  return deadLetters.some((first) => first <= Number(offset));
}

export type PartitionSkips = readonly number[];

/**
 * Returns the offsets from which positions of the partition were skipped on an operator's order.
 */
export function skipsOf(
  { recordDeadLetters }: IndexedHistory,
  { topic, partition }: PartitionEvents,
): PartitionSkips {
  const skips: number[] = [];
  for (const deadLetters of recordDeadLetters.values()) {
    for (const { reason, source } of deadLetters) {
      if (reason === "skipped" && source?.topic === topic && source.partition === partition) {
        skips.push(Number(source.offset));
      }
    }
  }
  return skips;
}

/** Describes in half a sentence how far an action that is not terminal has come. */
export function describeProgress(action: ActionEvents, indexed: IndexedHistory): string {
  const last = lastAttemptOf(action);
  if (last === undefined) return "it was never claimed";
  const [claim] = last.claims;
  const outcome = outcomeFileOf(last);
  const claimed =
    claim === undefined
      ? `attempt ${last.attempt}, which nobody claimed,`
      : `attempt ${last.attempt}, claimed by ${claim.pod} at ${secondsAt(indexed, claim.atMs)},`;
  if (outcome === undefined) return `${claimed} has no outcome`;
  const ended =
    `${claimed} ended ${outcome.outcome} (${outcome.reason}, by ${outcome.pod}) ` +
    `at ${secondsAt(indexed, outcome.atMs)}`;
  return `${ended}, and no dead letter was published`;
}

/** Describes the action as `rule/action of incident` where a record plans it. */
export function describeAction({ key, expected }: ActionEvents): string {
  if (expected === undefined) return `action ${key}`;
  return `action ${key} (${expected.rule}/${expected.action} of incident ${expected.incident})`;
}
