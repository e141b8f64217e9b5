/**
 * One line of `history.ndjson`: what happened in a run, from the simulators, the logs of the pods and the history volume, in one clock.
 * Offsets are decimal strings, times milliseconds since the epoch of the runner's clock.
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
  /** null: it cannot be decoded. */
  readonly incident: string | null;
  /** What the rules plan for it; empty where none matches. Repeated records plan the same actions again, with the same keys. */
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
}

/** The broker answered a Fetch with records from `offset` up to and without `nextOffset`. */
export interface Delivered extends Place {
  readonly kind: "delivered";
  readonly nextOffset: string;
  readonly pod: string | null;
}

/** `file`: as it stands on the volume; `log`: as the pod said it. The same claim comes from both. */
export interface Claimed {
  readonly kind: "claimed";
  readonly from: "file" | "log";
  readonly pod: string;
  readonly key: string;
  readonly attempt: number;
  readonly nonce: string;
  /** Of a line of a log: restarts of its container before it. */
  readonly restart?: number;
  /** Of a file. */
  readonly claim?: ExpectedClaim;
}

interface ExpectedClaim extends Place {
  readonly rule: string;
  readonly action: string;
  readonly incident: string;
  readonly transition: string;
  readonly startedOnMs: number;
}

/** The pod says that it sends now. */
export interface Sending {
  readonly kind: "sending";
  readonly pod: string;
  readonly key: string;
  readonly attempt: number;
  readonly nonce: string;
  /** Restarts of its container before it. */
  readonly restart?: number;
}

/** The action endpoint applied a request. */
export interface Effect {
  readonly kind: "effect";
  /** `Idempotency-Key`. */
  readonly key: string | null;
  /** Of `traceparent`; null without a valid one. */
  readonly traceId: string | null;
  readonly parentId: string | null;
  /** Who sent it, as far as `parentId` tells. */
  readonly pod: string | null;
  readonly path: string;
}

/** An outcome: `file`, as it stands on the volume; `log`, as the pod said it. */
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

/** A record of the dead-letter topic; its own place is `topic`, `partition`, `offset`. */
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

/** The group was formed: what each member was given in this generation. */
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

/** What became of a container or pod (`ContainerEvent` of the target), of its readiness, or of its own log (`group-left`, `storage-failed`). */
export interface PodEvent {
  readonly kind: "pod";
  readonly pod: string;
  readonly what: string;
  readonly exitCode?: number;
  readonly signal?: string;
}

export interface FaultEvent {
  readonly kind: "fault";
  /** Number of the step in its schedule, from 1; null for a fault of a scenario. */
  readonly step: number | null;
  readonly fault: string;
  readonly pod: string | null;
  readonly what: "armed" | "reached" | "missed" | "injected" | "fired" | "healed";
  /** Of `healed`: `took 12 ms`, since its time is that of the beginning: from there on the fault may have been gone. */
  readonly detail: string;
}

/**
 * `healed`: all faults are gone and the load has ended, so that from here everything must converge; `settled`: it has, or the budget for it is
 * spent. Without them liveness is not judged. `stopped`: the pods have been taken down.
 */
export interface Mark {
  readonly kind: "mark";
  readonly what: "healed" | "converged" | "stopped";
}
