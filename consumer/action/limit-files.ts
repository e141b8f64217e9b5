import { createHash } from "node:crypto";
import { z } from "zod";

export const DAY_MS = 86_400_000;

/** One link of the chain of a rule: a run that was admitted. */
export const runSchema = z.object({
  format: z.literal(1),
  /** Names the run, as its decision does. */
  run: z.string(),
  atMs: z.number(),
  pod: z.string(),
});

export const decisionSchema = z.object({
  format: z.literal(1),
  admitted: z.boolean(),
  detail: z.string(),
});

/** Where the chain ended at some time, so that nobody has to list the directory; older versions do not know it. */
export const headSchema = z.object({
  format: z.literal(1),
  last: z.int().min(0),
  atMs: z.number(),
});

export function runPath(directory: string, number: number): string {
  return `${directory}/${number}.run`;
}

/** The day is that of the incident's start: whole days are forgotten. */
export function decisionPath(directory: string, run: string, startedOnMs: number): string {
  return `${directory}/${Math.floor(startedOnMs / DAY_MS)}.${run}.decision`;
}

export function headPath(directory: string): string {
  return `${directory}/head`;
}

/** 0: it is no such file. */
export function numberOf(name: string, kind: "run" | "decision"): number {
  return name.endsWith(`.${kind}`) ? Number.parseInt(name, 10) || 0 : 0;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
