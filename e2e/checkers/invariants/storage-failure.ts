import type { Checker, Finding } from "../checker.ts";
import { factsOf, type HistoryFacts } from "../facts/history-facts.ts";
import { secondsAt } from "../facts/telling.ts";
import { CLOCK_TOLERANCE_MS } from "../facts/tolerance.ts";

/** Faults by which a pod can make no file at all, whatever it is for. */
const NO_WRITES = new Set(["volume.full", "volume.read-only"]);

/** While the volume takes no file, a pod that sends has begun without a claim. What was claimed before may still be sent. */
export const storageFailure: Checker = {
  name: "storage-failure",
  title: "A storage failure starts no new action.",
  kind: "safety",
  needs: ["claims", "pod-logs"],
  check(history) {
    const facts = factsOf(history);
    const outages = outagesOf(facts);
    const findings: Finding[] = [];
    for (const { key, attempts } of facts.actions.values()) {
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
          const message = `${sending.pod} sent attempt ${attempt} of ${key} at ${secondsAt(facts, sending.atMs)}, while ${outage.fault} kept it from claiming anything (since ${secondsAt(facts, outage.fromMs)})`;
          findings.push({ message, events: [outage.index, sending.index] });
        }
      }
    }
    return findings;
  },
};

interface Outage {
  readonly pod: string;
  readonly fault: string;
  readonly index: number;
  readonly fromMs: number;
  toMs: number;
}

function outagesOf({ faults }: HistoryFacts): readonly Outage[] {
  const outages: Outage[] = [];
  for (const { fault, pod, what, atMs, index } of faults) {
    if (pod === null || !NO_WRITES.has(fault)) continue;
    if (what === "injected") {
      outages.push({ pod, fault, index, fromMs: atMs, toMs: Number.POSITIVE_INFINITY });
    }
    const last = outages.findLast((outage) => outage.pod === pod && outage.fault === fault);
    if (what === "healed" && last !== undefined) last.toMs = atMs;
  }
  return outages;
}
