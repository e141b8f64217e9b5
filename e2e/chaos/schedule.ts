import type { FaultStep } from "./fault-kind.ts";
import type { TriggerStep } from "./trigger-kind.ts";

/**
 * A chaos schedule: what is done to which pods at which moments. It is plain JSON, drawn from a
 * seed before anything starts or written by hand. The same schedule injects the same faults at the
 * same moments again.
 */
export interface Schedule {
  readonly version: 1;
  /**
   * The seed of the load and of every choice that is made while the schedule runs, an unsigned
   * 32-bit integer.
   */
  readonly seed: number;
  /** The number of pods from the start. */
  readonly replicas: number;
  /** The number of partitions of the topic of incidents. */
  readonly partitions: number;
  readonly load: LoadPlan;
  readonly steps: readonly ScheduleStep[];
}

export interface ScheduleStep {
  /** The moment at which the fault is injected. */
  readonly when: TriggerStep;
  /** The fault. */
  readonly do: FaultStep;
  /**
   * The time that a lasting fault stays, from its injection. When absent, it stays until the healing at
   * the end.
   */
  readonly until?: { readonly elapsedMs: number };
}

/** The load that is published while the schedule runs. Each share is in [0, 1], of the published records. */
export interface LoadPlan {
  readonly incidentsPerSecond: number;
  /** The load ends after this many records, whatever the steps do. */
  readonly recordsMax: number;
  /** The share of records that are published a second time. */
  readonly repeatShare: number;
  /**
   * The share of records that are the next transition of an earlier incident: an active one is
   * resolved, a resolved one becomes active again with a later start.
   */
  readonly reopenShare: number;
  /** The share of records that cannot be decoded. */
  readonly poisonShare: number;
  /**
   * The share of incidents whose rule has an action that is declared idempotent, beside one that is
   * not.
   */
  readonly idempotentShare: number;
}
