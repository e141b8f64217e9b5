import { createHash } from "node:crypto";
import { z } from "zod";

export const DAY_MS = 86_400_000;

/** One link of the chain of a rule: a run that was admitted. */
export const runSchema = z.object({
  format: z.literal(1),
  /** The name of the run; its decision has the same. */
  run: z.string(),
  atMs: z.number(),
  pod: z.string(),
});

export const decisionSchema = z.object({
  format: z.literal(1),
  admitted: z.boolean(),
  detail: z.string(),
});

/**
 * The number at which the chain ended at some time, so that the directory need not be listed. Older versions of this
 * program do not know this file.
 */
export const headSchema = z.object({
  format: z.literal(1),
  last: z.int().min(0),
  atMs: z.number(),
});

export function runPath(directory: string, number: number): string {
  return `${directory}/${number}.run`;
}

/**
 * Returns the path of a decision. It begins with the day on which the incident started, because decisions are deleted
 * by whole days.
 */
export function decisionPath(directory: string, run: string, startedOnMs: number): string {
  return `${directory}/${Math.floor(startedOnMs / DAY_MS)}.${run}.decision`;
}

export function headPath(directory: string): string {
  return `${directory}/head`;
}

/** Returns the number in the name of a file; 0 for a file of another kind. */
export function numberOf(name: string, kind: "run" | "decision"): number {
  return name.endsWith(`.${kind}`) ? Number.parseInt(name, 10) || 0 : 0;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
