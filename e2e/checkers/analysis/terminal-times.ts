import {
  type ActionEvents,
  type IndexedHistory,
  lastAttemptOf,
  outcomeFileOf,
  type PartitionEvents,
  recordName,
  type Indexed,
} from "./indexed-history.ts";
import { secondsAt } from "./wording.ts";
import type { Ended, Published } from "#e2e/checkers/history-event.ts";

/** Reason of an `ended` event: the owner of an attempt says in its log and journal how it ended, after another pod had called it in doubt. */
export const LATE_REASON = "late";

/** Whether it is certain by that: it stands on the volume, or the late owner said so. */
export function isDone({ from, outcome, reason }: Ended): boolean {
  return outcome === "done" && (from === "file" || reason === LATE_REASON);
}

const known = new WeakMap<ActionEvents, number | undefined>();

/**
 * When the action came to its end, in milliseconds: its outcome `done` stood on the volume, its dead letter stood in the topic, a pod found it
 * too old to begin, or its late owner said that it was done. undefined: never.
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

/** When all actions of the record had ended, or the letter of one that cannot be decoded was out. -Infinity where there is nothing to do. */
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
    // A letter about the whole record, such as one that is too large, ends all its actions.
    if (atMs === undefined) return own[0]?.atMs;
    last = Math.max(last, atMs);
  }
  return last;
}

/** Positions that an operator ordered to pass: the letter names the first of them. */
export function isSkipped(
  { offset }: Indexed<Published>,
  { deadLetters }: { deadLetters: PartitionSkips },
): boolean {
  return deadLetters.some((first) => first <= Number(offset));
}

export type PartitionSkips = readonly number[];

/** The offsets from which on an operator's order passed positions of the partition. */
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

/** Where an action that has not ended stands, in half a sentence. */
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
  const ended = `${claimed} ended ${outcome.outcome} (${outcome.reason}, by ${outcome.pod}) at ${secondsAt(indexed, outcome.atMs)}`;
  return `${ended}, and no dead letter is out`;
}

/** `rule/action of incident`, where a record plans it. */
export function describeAction({ key, expected }: ActionEvents): string {
  if (expected === undefined) return `action ${key}`;
  return `action ${key} (${expected.rule}/${expected.action} of incident ${expected.incident})`;
}
