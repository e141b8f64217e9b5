import type { HistoryFacts } from "./history-facts.ts";

/** Faults that keep a process from finishing what it has claimed, for as long as they last. */
const HINDERING = /^(?:volume\.|pod\.freeze$|node\.pause$)/;

/** A trigger that holds an operation on the volume hinders as a fault does, from the moment at which it is reached. */
const HOLDING = /^volume\./;

interface Disturbance {
  readonly pod: string;
  readonly fromMs: number;
  toMs: number;
}

const known = new WeakMap<HistoryFacts, readonly Disturbance[]>();

/**
 * Whether the volume of the pod failed or stood still, or the pod was frozen, at some time between the two. What it had claimed may be left then:
 * the time for writing an outcome after the partition is lost is bounded (`execution.outcomeBudgetMs`).
 */
export function wasHindered(
  facts: HistoryFacts,
  pod: string,
  fromMs: number,
  toMs: number,
): boolean {
  const disturbances = known.get(facts) ?? disturbancesOf(facts);
  known.set(facts, disturbances);
  return disturbances.some((one) => one.pod === pod && one.fromMs <= toMs && one.toMs >= fromMs);
}

function disturbancesOf({ faults }: HistoryFacts): Disturbance[] {
  const disturbances: Disturbance[] = [];
  const triggers = new Map<number | null, string>();
  for (const { step, fault, pod, what, detail, atMs } of faults) {
    if (what === "armed") triggers.set(step, detail);
    if (pod === null) continue;
    if (what === "reached" && HOLDING.test(triggers.get(step) ?? "")) {
      disturbances.push({ pod, fromMs: atMs, toMs: atMs });
    }
    if (!HINDERING.test(fault)) continue;
    if (what === "injected")
      disturbances.push({ pod, fromMs: atMs, toMs: Number.POSITIVE_INFINITY });
    const last = disturbances.findLast(
      (one) => one.pod === pod && one.toMs === Number.POSITIVE_INFINITY,
    );
    if (what === "healed" && last !== undefined) last.toMs = healedMs({ atMs, detail });
  }
  return disturbances;
}

/** A healing takes some time, and its event stands at the beginning of it. */
export function healedMs({
  atMs,
  detail,
}: {
  readonly atMs: number;
  readonly detail: string;
}): number {
  return atMs + Number(/^took (\d+) ms/.exec(detail)?.[1] ?? 0);
}
