import { SNAPSHOT_ENTRIES_MIN } from "#e2e/chaos/engine/chaos-rules.ts";
import type { Measure, SubjectKind } from "./sample.ts";

/**
 * The largest growth of a process for every hour that it lives after its warm-up. docs/chaos.md
 * states the same numbers.
 */
export interface GrowthBound {
  readonly kind: SubjectKind;
  readonly measure: Measure;
  readonly perHourMax: number;
}

const MIB = 2 ** 20;

export const GROWTH_BOUNDS: readonly GrowthBound[] = [
  { kind: "runner", measure: "residentBytes", perHourMax: 512 * MIB },
  { kind: "runner", measure: "heapBytes", perHourMax: 128 * MIB },
  { kind: "runner", measure: "openFiles", perHourMax: 20 },
  { kind: "pod", measure: "residentBytes", perHourMax: 192 * MIB },
  { kind: "pod", measure: "heapBytes", perHourMax: 64 * MIB },
  { kind: "pod", measure: "externalBytes", perHourMax: 32 * MIB },
  { kind: "pod", measure: "openFiles", perHourMax: 10 },
];

/** Compiled code, connections and caches are there by then. */
export const WARM_UP_MS = 300_000;

/** The time between two samples. */
export const SAMPLE_INTERVAL_MS = 5000;

/**
 * The number of samples after the warm-up, and the time that they must span. A busy machine takes
 * fewer samples than the interval promises.
 */
export const SAMPLES_MIN = 60;
export const MEASURED_MS_MIN = 600_000;

/** Returns the number of files that a volume may hold. */
export function allowedFiles({ attempts, starts, claims }: VolumeUse) {
  return {
    /** Each attempt that the load allows has one. */
    claims: attempts,
    outcomes: attempts,
    /** Each life of a consumer writes one, and may have sealed another that is not merged yet. */
    journals: 2 * starts,
    /**
     * A compaction waits for that many entries, of which an action has two at most. Names of
     * generations are kept for a long time.
     */
    snapshots: 4 + Math.ceil((2 * claims) / SNAPSHOT_ENTRIES_MIN),
  } as const satisfies Readonly<Partial<Record<Measure, number>>>;
}

export interface VolumeUse {
  /**
   * The number of attempts that the load allows so far: for every action the most that its rule
   * allows.
   */
  readonly attempts: number;
  /** The number of starts of the consumer's container, in all pods. */
  readonly starts: number;
  /** The number of claims on the volume. */
  readonly claims: number;
}
