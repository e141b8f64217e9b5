import { z } from "zod";
import type { SeededRandom } from "#e2e/base/random.ts";

export const MOMENTS = ["before-effect", "after-effect"] as const;

/** Whether the fault comes before or after the effect of the request. */
export type Moment = (typeof MOMENTS)[number];

/** How many requests meet the fault; absent: all, until it is healed. */
export interface Bounded {
  readonly times?: number;
}

/** Milliseconds that fit into a timer. */
export const milliseconds = z.int().min(1).max(600_000);
export const times = z.int().min(1).max(1_000_000).exactOptional();

/** Few enough to leave requests for other faults of the endpoint. */
export function drawTimes(random: SeededRandom): number {
  return 1 + random.below(3);
}
