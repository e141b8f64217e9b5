import type { IndexedHistory } from "./indexed-history.ts";

/** Faults that keep a process from completing what it has claimed, for as long as they last. */
const HINDERING = /^(?:volume\.|pod\.freeze$|node\.pause$)/;

/** Those of them during which a process cannot even answer. */
const FREEZING = /^(?:pod\.freeze$|node\.pause$)/;

/**
 * A trigger that holds an operation on the volume hinders a pod as a fault does, from the moment at
 * which it is reached.
 */
const HOLDING = /^volume\./;

interface Disturbance {
  /** The pod; null when it may have been any pod. */
  readonly pod: string | null;
  readonly step: number | null;
  readonly fault: string;
  readonly fromMs: number;
  toMs: number;
}

const known = new WeakMap<IndexedHistory, readonly Disturbance[]>();

/**
 * Returns true when the pod's volume failed or stood still, or the pod was frozen, at some time
 * between the two. Its claims may then be left without an outcome, since the time for writing one
 * after the partition is lost is bounded (`execution.outcomeBudgetMs`). A fault of a node names
 * only the pod by which the node was found, and a fault of the whole deployment names none, so that
 * both may have affected any pod.
 */
export function wasHindered(
  indexed: IndexedHistory,
  pod: string,
  fromMs: number,
  toMs: number,
): boolean {
  return disturbancesBetween(indexed, pod, fromMs, toMs).length > 0;
}

/** Returns true when the processes of the pod were frozen at some time between the two. */
export function wasFrozen(
  indexed: IndexedHistory,
  pod: string,
  fromMs: number,
  toMs: number,
): boolean {
  return disturbancesBetween(indexed, pod, fromMs, toMs).some(({ fault }) => FREEZING.test(fault));
}

function disturbancesBetween(
  indexed: IndexedHistory,
  pod: string,
  fromMs: number,
  toMs: number,
): readonly Disturbance[] {
  const disturbances = known.get(indexed) ?? disturbancesOf(indexed);
  known.set(indexed, disturbances);
  return disturbances.filter(
    (one) => (one.pod === pod || one.pod === null) && one.fromMs <= toMs && one.toMs >= fromMs,
  );
}

function disturbancesOf({ faults }: IndexedHistory): Disturbance[] {
  const disturbances: Disturbance[] = [];
  const triggers = new Map<number | null, string>();
  for (const { step, fault, pod, what, detail, atMs } of faults) {
    if (what === "armed") triggers.set(step, detail);
    if (what === "reached" && HOLDING.test(triggers.get(step) ?? "")) {
      disturbances.push({ pod, step, fault, fromMs: atMs, toMs: atMs });
    }
    if (!HINDERING.test(fault)) continue;
    const hit = fault.startsWith("node.") ? null : pod;
    if (what === "injected") {
      disturbances.push({ pod: hit, step, fault, fromMs: atMs, toMs: Number.POSITIVE_INFINITY });
    }
    if (what === "healed") {
      const healed = disturbances.findLast(
        (one) =>
          one.pod === hit &&
          one.step === step &&
          one.fault === fault &&
          one.toMs === Number.POSITIVE_INFINITY,
      );
      if (healed !== undefined) healed.toMs = healedMs({ atMs, detail });
    }
  }
  return disturbances;
}

/**
 * Returns the time at which the fault was healed. Healing takes time, and its event has the time at
 * which it began.
 */
export function healedMs({
  atMs,
  detail,
}: {
  readonly atMs: number;
  readonly detail: string;
}): number {
  return atMs + Number(/^took (\d+) ms/.exec(detail)?.[1] ?? 0);
}
