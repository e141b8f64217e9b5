import type { PodSelector } from "#e2e/chaos/activities.ts";
import type { ScheduleStep } from "#e2e/chaos/schedule.ts";
import type { ReachedTrigger } from "#e2e/chaos/trigger-kind.ts";

/**
 * The result of one step of a schedule, for the report, the coverage and the comparison of two
 * replays.
 */
export interface PlayedStep {
  /** The number in the schedule, from 1. */
  readonly number: number;
  readonly trigger: string;
  readonly fault: string;
  /**
   * `fired`: the moment came, the fault was injected, and something proves that it fired. `missed`:
   * the moment did not come within its budget, or the pod was gone. `never-fired`: the fault was
   * injected and nothing shows that it had an effect. `open`: the run ended before.
   */
  readonly outcome: "fired" | "missed" | "never-fired" | "open";
  /** The reason of `missed` and `never-fired`. */
  readonly reason: string | null;
  /** The moment; null while it has not come. */
  readonly reached: ReachedTrigger | null;
  /** True when the pod was held at the moment. */
  readonly held: boolean;
  /**
   * The pod that the fault was aimed at; null for a fault of the whole deployment, or when it was
   * not injected.
   */
  readonly pod: string | null;
  /** The way in which the schedule chose that pod, or null where there is none. */
  readonly selector: PodSelector | null;
  /** True while the fault is being injected, and until it is healed. */
  readonly inForce: boolean;
  /** The proof that it fired. */
  readonly fired: string | null;
}

/** Returns the step before it is played. `number` is its number in the schedule, from 1. */
export function openStep(
  number: number,
  { when, do: fault }: Pick<ScheduleStep, "when" | "do">,
): PlayedStep {
  return {
    number,
    trigger: when.trigger,
    fault: fault.fault,
    outcome: "open",
    reason: null,
    reached: null,
    held: false,
    pod: null,
    selector: null,
    inForce: false,
    fired: null,
  };
}
