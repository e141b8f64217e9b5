import type { IndexedHistory } from "./indexed-history.ts";

/** Formats a time as the seconds since the first event, as every finding has it. */
export function secondsAt({ startMs }: Pick<IndexedHistory, "startMs">, atMs: number): string {
  return `${((atMs - startMs) / 1000).toFixed(3)} s`;
}

/** Joins distinct values: `pod-a`, `pod-a and pod-b`, `pod-a, pod-b and pod-c`. */
export function joinNames(values: Iterable<string | null>): string {
  const distinct = [...new Set([...values].map((value) => value ?? "an unknown pod"))];
  if (distinct.length < 2) return distinct.join("");
  return `${distinct.slice(0, -1).join(", ")} and ${distinct.at(-1)}`;
}
