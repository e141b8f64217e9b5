import type { PlaceArguments } from "#e2e/base/run-arguments.ts";
import type { LoadPlan } from "./schedule.ts";

export interface ChaosArguments extends PlaceArguments {
  /** 32-bit unsigned; the first schedule is drawn from it. */
  readonly seed: number;
  /** Steps of each schedule. */
  readonly steps: number;
  /** No schedule begins after so long; null: no such bound. */
  readonly durationMs: number | null;
  /** How many schedules at most; null: no such bound. Both are null only with `untilFailure`. */
  readonly runs: number | null;
  /** Ends after the first schedule that fails; else the next ones run too. */
  readonly untilFailure: boolean;
  /** Looks for a smaller schedule that fails like the first one that did, for at most 15 minutes. */
  readonly shrink: boolean;
  /** What many schedules drew and none fired, as the coverage counts it, ends the run with exit code 4. */
  readonly requireCoverage: boolean;
  /**
   * Names or families of faults, such as `pod.kill` and `broker`; empty means all. Unchecked: only `selectFaults` loads the kinds, and it
   * refuses those that do not exist.
   */
  readonly faults: readonly string[];
  readonly load: LoadPlan;
  readonly replicas: number;
  readonly partitions: number;
  /** Proves the checkers on these planted faults instead, all when it is empty; null: no. Names are unchecked. */
  readonly prove: readonly string[] | null;
}

export interface ReplayArguments extends PlaceArguments {
  /** A schedule, or a directory of artifacts that holds one. */
  readonly path: string;
  /** How many times it runs, one after the other. */
  readonly times: number;
}
