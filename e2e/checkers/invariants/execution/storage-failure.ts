import type { Checker, Finding, RunHistory } from "#e2e/checkers/checker.ts";
import { wasFrozen } from "#e2e/checkers/analysis/disturbances.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import type { IndexedHistory } from "#e2e/checkers/analysis/indexed-history.ts";
import { readinessOf, storageFailuresOf } from "#e2e/checkers/analysis/pod-readiness.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import { CLOCK_TOLERANCE_MS } from "#e2e/checkers/analysis/clock-tolerance.ts";

/** Faults under which a pod can create no file at all. */
const NO_WRITES = new Set(["volume.full", "volume.read-only"]);

/**
 * While the volume takes no file, a pod that sends has begun without a claim. It may still send
 * what it claimed before. A pod whose log reports a failing operation on the volume is not ready
 * until the operation succeeds. That is judged where it lasts longer than the probes take to see
 * it. A failure that no operation of the pod met is in no log, and needs to make no pod unready.
 */
export const storageFailure: Checker = {
  name: "storage-failure",
  title: "A storage failure starts no new action, and makes the pod not ready.",
  kind: "safety",
  needs: ["claims", "pod-events", "pod-logs"],
  check(history) {
    const indexed = indexHistory(history);
    return [...begunWithoutClaim(indexed), ...readyAllTheSame(indexed, history)];
  },
};

function begunWithoutClaim(indexed: IndexedHistory): Finding[] {
  const outages = outagesOf(indexed);
  const findings: Finding[] = [];
  for (const { key, attempts } of indexed.actions.values()) {
    for (const { attempt, sendings, claims } of attempts.values()) {
      for (const sending of sendings) {
        const outage = outages.find(
          ({ pod, fromMs, toMs }) =>
            pod === sending.pod &&
            sending.atMs > fromMs + CLOCK_TOLERANCE_MS &&
            sending.atMs < toMs,
        );
        if (outage === undefined) continue;
        const claim = claims.find(({ nonce }) => nonce === sending.nonce);
        if (claim !== undefined && claim.atMs <= outage.fromMs + CLOCK_TOLERANCE_MS) continue;
        const message =
          `${sending.pod} sent attempt ${attempt} of ${key} at ${secondsAt(indexed, sending.atMs)}, ` +
          `while ${outage.fault} kept it from claiming anything (since ${secondsAt(indexed, outage.fromMs)})`;
        findings.push({ message, events: [outage.index, sending.index] });
      }
    }
  }
  return findings;
}

function readyAllTheSame(indexed: IndexedHistory, { unreadyMsMax }: RunHistory): Finding[] {
  const stepped = new Set(
    indexed.faults.filter(({ fault }) => fault.startsWith("clock")).map(({ pod }) => pod),
  );
  // The log lines of a pod whose clock was stepped have no certain time.
  const pods = [...indexed.pods.keys()].filter((pod) => !stepped.has(pod) && !stepped.has(null));
  return pods.flatMap((pod) =>
    storageFailuresOf(indexed, pod).flatMap(({ fromMs, toMs, index }) => {
      const dueMs = fromMs + unreadyMsMax;
      const latestMs = toMs - CLOCK_TOLERANCE_MS;
      // A frozen process answers no probe, and a probe that times out takes longer to fail.
      if (dueMs > latestMs || wasFrozen(indexed, pod, fromMs, toMs)) return [];
      const readiness = readinessOf(indexed, pod, { fromMs: dueMs, toMs: latestMs });
      if (readiness === undefined) return [];
      const shown = `and was shown as ready at ${secondsAt(indexed, readiness.atMs)}`;
      const message =
        `the storage of ${pod} failed at ${secondsAt(indexed, fromMs)}, ${shown}, before any of it ` +
        `had recovered`;
      return [{ message, events: [index, readiness.index] }];
    }),
  );
}

interface Outage {
  readonly pod: string;
  readonly step: number | null;
  readonly fault: string;
  readonly index: number;
  readonly fromMs: number;
  toMs: number;
}

/**
 * Returns the outages from faults that name their pod. Of other faults it is not certain that this
 * pod could not write.
 */
function outagesOf({ faults }: IndexedHistory): readonly Outage[] {
  const outages: Outage[] = [];
  for (const { step, fault, pod, what, atMs, index } of faults) {
    if (pod === null || !NO_WRITES.has(fault)) continue;
    if (what === "injected") {
      outages.push({ pod, step, fault, index, fromMs: atMs, toMs: Number.POSITIVE_INFINITY });
    }
    if (what === "healed") {
      const healed = outages.findLast(
        (outage) => outage.pod === pod && outage.fault === fault && outage.step === step,
      );
      if (healed !== undefined) healed.toMs = atMs;
    }
  }
  return outages;
}
