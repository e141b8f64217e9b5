import type {
  Assigned,
  Claimed,
  Committed,
  DeadLettered,
  Delivered,
  Effect,
  Ended,
  ExpectedAction,
  FaultEvent,
  HistoryEvent,
  PodEvent,
  Published,
  Sending,
} from "#e2e/checkers/history-event.ts";

/** An event with its position in the history. */
export type Indexed<Event> = Event & { readonly atMs: number; readonly index: number };

/**
 * The events of a history by what they are about. They are sorted in one pass, for all checkers.
 */
export interface IndexedHistory {
  readonly events: readonly HistoryEvent[];
  /** The time of the first event. */
  readonly startMs: number;
  /** The events of each action, by key. */
  readonly actions: ReadonlyMap<string, ActionEvents>;
  /** The events of each partition, by `partitionName`. */
  readonly partitions: ReadonlyMap<string, PartitionEvents>;
  /** The assignments, by `generationName`. */
  readonly generations: ReadonlyMap<string, readonly Indexed<Assigned>[]>;
  readonly pods: ReadonlyMap<string, readonly Indexed<PodEvent>[]>;
  readonly faults: readonly Indexed<FaultEvent>[];
  readonly effectsWithoutKey: readonly Indexed<Effect>[];
  /** Dead letters that name no action, by the `recordName` of their source. */
  readonly recordDeadLetters: ReadonlyMap<string, readonly Indexed<DeadLettered>[]>;
  readonly converged: boolean;
}

/** All events of one action. */
export interface ActionEvents {
  readonly key: string;
  /** The action as the records plan it; undefined when none does. */
  readonly expected: ExpectedAction | undefined;
  /** The records that plan it, in the order of their offsets. */
  readonly records: readonly Indexed<Published>[];
  /** The attempts by number. */
  readonly attempts: ReadonlyMap<number, AttemptEvents>;
  /** The effects in the order of time. */
  readonly effects: readonly Indexed<Effect>[];
  readonly deadLetters: readonly Indexed<DeadLettered>[];
  /**
   * Events in which a pod reported that the action was too old to begin. They are attempt 0, since
   * nothing is claimed.
   */
  readonly neverBegun: readonly Indexed<Ended>[];
}

export interface AttemptEvents {
  readonly attempt: number;
  readonly claims: readonly Indexed<Claimed>[];
  readonly sendings: readonly Indexed<Sending>[];
  readonly outcomes: readonly Indexed<Ended>[];
  /** The effects whose parent id belongs to this attempt. */
  readonly effects: readonly Indexed<Effect>[];
  readonly deadLetters: readonly Indexed<DeadLettered>[];
}

export interface PartitionEvents {
  readonly topic: string;
  readonly partition: number;
  /** The records in the order of their offsets. */
  readonly records: readonly Indexed<Published>[];
  /** All commits in the order of time, including those that were refused. */
  readonly commits: readonly Indexed<Committed>[];
  readonly deliveries: readonly Indexed<Delivered>[];
}

export function partitionName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

export function recordName(place: { topic: string; partition: number; offset: string }): string {
  return `${place.topic}/${place.partition}/${place.offset}`;
}

export function generationName(group: string, generation: number): string {
  return `${group} ${generation}`;
}

/** Returns the claim on the volume, or undefined when there is none. */
export function claimFileOf(attempt: AttemptEvents | undefined): Indexed<Claimed> | undefined {
  return attempt?.claims.find(({ from }) => from === "file");
}

/**
 * Returns the time at which the claim on the volume was made. The time in its file may be too
 * early: a pod learns the time of the volume late by as long as it took to ask for it, which is
 * long on a slow volume. The log has the time of the machine.
 */
export function claimedMs({ claims }: AttemptEvents, file: Indexed<Claimed>): number {
  const logged = claims.find(({ from, nonce }) => from === "log" && nonce === file.nonce);
  return Math.max(file.atMs, logged?.atMs ?? file.atMs);
}

export function outcomeFileOf(attempt: AttemptEvents | undefined): Indexed<Ended> | undefined {
  return attempt?.outcomes.find(({ from }) => from === "file");
}

/** Returns the attempt with the highest number, or undefined when there is none. */
export function lastAttemptOf({ attempts }: ActionEvents): AttemptEvents | undefined {
  return attempts.get(Math.max(0, ...attempts.keys()));
}
