import type { PodSelector } from "#e2e/chaos/activities.ts";
import type { ScheduleStep } from "#e2e/chaos/schedule.ts";
import type { ReachedTrigger } from "#e2e/chaos/trigger-kind.ts";

/** What became of one step of a schedule, for the report, the coverage and the comparison of two replays. */
export interface PlayedStep {
  /** In the schedule, from 1. */
  readonly number: number;
  readonly trigger: string;
  readonly fault: string;
  /**
   * `fired`: the moment came, the fault was injected, and something proves that it fired. `missed`: the moment did not come within its budget, or
   * the pod was gone. `never-fired`: it was injected and nothing shows that it did anything. `open`: the run ended before.
   */
  readonly outcome: "fired" | "missed" | "never-fired" | "open";
  /** Of `missed` and `never-fired`: why. */
  readonly reason: string | null;
  /** The moment; null while it has not come. */
  readonly reached: ReachedTrigger | null;
  /** Whether the pod stood still at the moment. */
  readonly held: boolean;
  /** The pod that the fault was aimed at; null for a fault of the whole deployment, or when it was not injected. */
  readonly pod: string | null;
  /** How the schedule chose that pod; null where there is none. */
  readonly selector: PodSelector | null;
  /** The fault is being injected, or was injected and acts until it is healed. */
  readonly inForce: boolean;
  /** What proves that it fired. */
  readonly fired: string | null;
}

/** The step before it is played. `number`: in the schedule, from 1. */
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
