import type { IndexedHistory } from "./indexed-history.ts";

/** Seconds from the first event, as every finding has them. */
export function secondsAt({ startMs }: Pick<IndexedHistory, "startMs">, atMs: number): string {
  return `${((atMs - startMs) / 1000).toFixed(3)} s`;
}

/** The values without repetition, as they are said: `pod-a`, `pod-a and pod-b`, `pod-a, pod-b and pod-c`. */
export function joinNames(values: Iterable<string | null>): string {
  const distinct = [...new Set([...values].map((value) => value ?? "an unknown pod"))];
  if (distinct.length < 2) return distinct.join("");
  return `${distinct.slice(0, -1).join(", ")} and ${distinct.at(-1)}`;
}
