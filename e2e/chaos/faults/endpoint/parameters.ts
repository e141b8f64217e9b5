import { z } from "zod";
import type { SeededRandom } from "#e2e/base/random.ts";

export const MOMENTS = ["before-effect", "after-effect"] as const;

/** The fault comes before or after the effect of the request. */
export type Moment = (typeof MOMENTS)[number];

/** The number of requests that meet the fault. Without one, all do until it is healed. */
export interface Bounded {
  readonly times?: number;
}

/** A number of milliseconds that a timer can take. */
export const milliseconds = z.int().min(1).max(600_000);
export const times = z.int().min(1).max(1_000_000).exactOptional();

/** Draws a number that is small enough to leave requests for other faults of the endpoint. */
export function drawTimes(random: SeededRandom): number {
  return 1 + random.below(3);
}
