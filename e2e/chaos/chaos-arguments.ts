import type { CommonArguments } from "#e2e/base/run-arguments.ts";
import type { LoadPlan } from "./schedule.ts";

export interface ChaosArguments extends CommonArguments {
  /** The seed of the first schedule, an unsigned 32-bit integer. */
  readonly seed: number;
  /** The number of steps of each schedule. */
  readonly steps: number;
  /** The time after which no schedule begins, in milliseconds; null for no such limit. */
  readonly durationMs: number | null;
  /**
   * The largest number of schedules; null for no such limit. Both limits are null only with
   * `untilFailure`.
   */
  readonly runs: number | null;
  /** Ends after the first schedule that fails; otherwise the next ones run too. */
  readonly untilFailure: boolean;
  /**
   * Searches for a smaller schedule that fails like the first failing one, for at most 15 minutes.
   */
  readonly shrink: boolean;
  /**
   * Ends the run with exit code 4 when the coverage finds a fault, a moment or a pair of both that
   * many schedules had and none covered.
   */
  readonly requireCoverage: boolean;
  /**
   * The names or families of faults, such as `pod.kill` and `broker`; empty means all. They are not
   * checked here: only `selectFaults` loads the kinds and refuses unknown ones.
   */
  readonly faults: readonly string[];
  readonly load: LoadPlan;
  readonly replicas: number;
  readonly partitions: number;
  /**
   * Proves the checkers on these planted faults instead, or on all when it is empty; null for no
   * proof. The names are not checked here.
   */
  readonly prove: readonly string[] | null;
}

export interface ReplayArguments extends CommonArguments {
  /** A schedule file, or a directory of artifacts that holds one. */
  readonly path: string;
  /** The number of times that the schedule runs, one after the other. */
  readonly times: number;
}
