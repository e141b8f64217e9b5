/**
 * One line of `history.ndjson`: what happened in a run, from the simulators, the logs of the pods
 * and the history volume, in one clock. Offsets are decimal strings, times are milliseconds since
 * the epoch by the runner's clock.
 */
export type HistoryEvent = EventBase &
  (
    | Published
    | Delivered
    | Claimed
    | Sending
    | Effect
    | Ended
    | DeadLettered
    | Committed
    | Assigned
    | PodEvent
    | FaultEvent
    | Mark
  );

interface EventBase {
  readonly atMs: number;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/** A record of the topic of incidents, as the kit appended it. */
export interface Published extends Place {
  readonly kind: "published";
  /** The incident; null for a record that cannot be decoded. */
  readonly incident: string | null;
  /**
   * The actions that the rules plan for it; empty when no rule matches. Repeated records plan the
   * same actions again, with the same keys.
   */
  readonly expected: readonly ExpectedAction[];
}

export interface ExpectedAction {
  readonly rule: string;
  readonly action: string;
  readonly incident: string;
  readonly transition: string;
  readonly startedOnMs: number;
  readonly idempotent: boolean;
  readonly attemptsMax: number;
  /** True for an action that is claimed under the key of a dry run and never sent. Defaults to false. */
  readonly dryRun?: boolean;
}

/**
 * The broker answered a Fetch with the records from `offset` up to but not including `nextOffset`.
 */
export interface Delivered extends Place {
  readonly kind: "delivered";
  readonly nextOffset: string;
  readonly pod: string | null;
}

/**
 * A claim, `file` as it is on the volume or `log` as the pod logged it. The same claim comes from
 * both.
 */
export interface Claimed {
  readonly kind: "claimed";
  readonly from: "file" | "log";
  readonly pod: string;
  readonly key: string;
  readonly attempt: number;
  readonly nonce: string;
  /** The restarts of the container before the log line. */
  readonly restart?: number;
  /** The content of the claim's file. */
  readonly claim?: ExpectedClaim;
}

interface ExpectedClaim extends Place {
  readonly rule: string;
  readonly action: string;
  readonly incident: string;
  readonly transition: string;
  readonly startedOnMs: number;
}

/** The pod logged that it sends now. */
export interface Sending {
  readonly kind: "sending";
  readonly pod: string;
  readonly key: string;
  readonly attempt: number;
  readonly nonce: string;
  /** The restarts of the container before it. */
  readonly restart?: number;
}

/** The action endpoint applied a request. */
export interface Effect {
  readonly kind: "effect";
  /** The `Idempotency-Key` of the request. */
  readonly key: string | null;
  /** The trace id of `traceparent`; null without a valid one. */
  readonly traceId: string | null;
  readonly parentId: string | null;
  /** The pod that sent it, as far as `parentId` shows. */
  readonly pod: string | null;
  readonly path: string;
}

/** An outcome, `file` as it is on the volume or `log` as the pod logged it. */
export interface Ended {
  readonly kind: "ended";
  readonly from: "file" | "log";
  readonly pod: string;
  readonly key: string;
  readonly attempt: number;
  readonly nonce: string;
  readonly outcome: string;
  readonly reason: string;
}

/** A record of the dead-letter topic. Its own position is `topic`, `partition`, `offset`. */
export interface DeadLettered extends Place {
  readonly kind: "dead-lettered";
  readonly key: string | null;
  readonly attempt: number | null;
  readonly reason: string;
  /** The record that it is about. */
  readonly source: Place | null;
}

/** The broker was asked to commit; `accepted` says whether it did. */
export interface Committed extends Place {
  readonly kind: "committed";
  readonly group: string;
  readonly pod: string | null;
  readonly memberId: string;
  readonly generation: number;
  readonly accepted: boolean;
}

/** The group was formed: each member got its partitions of this generation. */
export interface Assigned {
  readonly kind: "assigned";
  readonly group: string;
  readonly generation: number;
  readonly members: readonly {
    readonly memberId: string;
    readonly pod: string | null;
    readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
  }[];
}

/**
 * An event of a container or pod (`ContainerEvent` of the target), to its readiness, or what
 * its log reports (`group-left`, `storage-failed`).
 */
export interface PodEvent {
  readonly kind: "pod";
  readonly pod: string;
  readonly what: string;
  readonly exitCode?: number;
  readonly signal?: string;
}

export interface FaultEvent {
  readonly kind: "fault";
  /** The number of the step in its schedule, from 1; null for a fault of a scenario. */
  readonly step: number | null;
  readonly fault: string;
  readonly pod: string | null;
  readonly what: "armed" | "reached" | "missed" | "injected" | "fired" | "healed";
  /**
   * Details, such as `took 12 ms` for `healed`. The event has the time at which the healing began,
   * since from then on the fault may have been gone.
   */
  readonly detail: string;
}

/**
 * `healed`: all faults are gone and the load has ended, so that everything must converge from here
 * on. `converged`: it has converged, or the time for that is over. Liveness is not judged without
 * these two. `stopped`: the pods have been taken down.
 */
export interface Mark {
  readonly kind: "mark";
  readonly what: "healed" | "converged" | "stopped";
}
