import type { FaultStep } from "./fault-kind.ts";
import type { TriggerStep } from "./trigger-kind.ts";

/**
 * A chaos schedule: what is done to which pods at which moments. It is plain JSON, made from a seed before anything starts, or written by
 * hand; the same schedule strikes at the same moments again.
 */
export interface Schedule {
  readonly version: 1;
  /** Of the load and of every choice that is made while the schedule runs; 32 bits, unsigned. */
  readonly seed: number;
  /** Pods that are wanted from the start. */
  readonly replicas: number;
  /** Partitions of the topic of incidents. */
  readonly partitions: number;
  readonly load: LoadPlan;
  readonly steps: readonly ScheduleStep[];
}

export interface ScheduleStep {
  /** The moment at which the fault is injected. */
  readonly when: TriggerStep;
  /** The fault. */
  readonly do: FaultStep;
  /** How long a lasting fault stays, counted from its injection. Absent: until the healing at the end. */
  readonly until?: { readonly elapsedMs: number };
}

/** What is published while the schedule runs. Each share is in [0, 1], of the records that are published. */
export interface LoadPlan {
  readonly incidentsPerSecond: number;
  /** The load ends after so many records, whatever the steps do. */
  readonly recordsMax: number;
  /** The same record once more. */
  readonly repeatShare: number;
  /** The next transition of an earlier incident: an active one is resolved, a resolved one becomes active again with a later start. */
  readonly reopenShare: number;
  /** Records that cannot be decoded. */
  readonly poisonShare: number;
  /** Incidents whose rule has an action that is declared idempotent, beside one that is not. */
  readonly idempotentShare: number;
}
