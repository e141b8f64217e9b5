import type { PlannedAction } from "#consumer/planning/plan.ts";
import type { Execution, ModelPod } from "#simulator/model/cluster/pod.ts";
import type { ClusterTimes } from "#simulator/model/cluster/times.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { AgeLimits } from "#simulator/model/settings.ts";
import { mayBeTooOld } from "./attempt-selection.ts";
import type { Violate } from "./invariants.ts";
import type { KeyFacts, Ledger } from "./ledger.ts";
import type { TerminalKeys } from "./terminal-keys.ts";

/** Verifies a request at the moment at which a process sends it. */
export type VerifySend = (
  pod: Pick<ModelPod, "who">,
  planned: PlannedAction,
  execution: Execution,
) => void;

function attemptClaimedWith(
  nonces: ReadonlySet<string>,
  { attempts }: KeyFacts,
): number | undefined {
  const latestFirst = [...attempts.keys()].toSorted((one, other) => other - one);
  return latestFirst.find((number) => {
    const claim = attempts.get(number)?.claim;
    return claim?.durable && nonces.has(claim.nonce);
  });
}

export function createVerifySend({
  ledger,
  times,
  limits,
  violate,
  mayDelete,
}: {
  readonly ledger: Ledger;
  readonly times: ClusterTimes;
  /** Returns the limits of the process whose limits are the highest. */
  readonly limits: () => AgeLimits;
  readonly violate: Violate;
  readonly mayDelete: TerminalKeys["mayDelete"];
}): VerifySend {
  /**
   * Verifies that nothing of a later record of the incident was sent before, unless this action had
   * been in doubt.
   */
  function verifyOrder(facts: KeyFacts, where: string): void {
    const { planned, partition, offset } = facts;
    const doubted = [...facts.attempts.values()].some(
      ({ outcome }) => outcome?.outcome === "in-doubt",
    );
    if (doubted || mayBeTooOld(facts, times.latestMs())) return;
    for (const other of ledger.keys.values()) {
      const later =
        other.partition === partition &&
        other.offset > offset &&
        other.planned.incident.id === planned.incident.id;
      if (later && other.sent.size > 0) {
        violate(
          "records of one incident are executed in their order, except after an in-doubt",
          where,
        );
      }
    }
  }

  return (pod, planned, { assignment, nonces }) => {
    const facts = ledger.keys.get(planned.key);
    if (!facts) return;
    ledger.scan(mayDelete);
    const where = `${pod.who} ${planned.rule}/${planned.action} of ${planned.incident.id}`;
    if (assignment.signal.aborted) {
      violate("a process sends nothing for an assignment that it has lost", where);
    }
    const attempt = attemptClaimedWith(nonces, facts);
    if (attempt === undefined) {
      violate("every execution was durably claimed with a nonce of its own run", where);
      return;
    }
    if (attempt > planned.attemptsMax) {
      violate("an action has no more attempts than it may", `${where}, attempt ${attempt}`);
    }
    const claimedMs = facts.attempts.get(attempt)?.claim?.seenMs ?? 0;
    if (times.nowMs() - claimedMs > planned.deadlineMs) {
      violate("nothing is sent past its deadline", `${where}, attempt ${attempt}`);
    }
    if (facts.sent.has(attempt)) {
      violate("an attempt is executed at most once", `${where}, attempt ${attempt}`);
    }
    for (let earlier = 1; earlier < attempt; earlier += 1) {
      const outcome = facts.attempts.get(earlier)?.outcome;
      if (!outcome?.durable) violate("the outcomes of all earlier attempts are durable", where);
      else if (outcome.outcome !== "failed-not-applied" && !planned.idempotent) {
        violate(
          "another attempt follows only what was certainly not applied, or is declared idempotent",
          `${where}, attempt ${attempt} after ${outcome.outcome}`,
        );
      }
    }
    facts.sent.add(attempt);
    facts.requests.add(JSON.stringify(planned.spec));
    if (facts.requests.size > 1) {
      violate("one key never carries two different requests", `${where}, attempt ${attempt}`);
    }
    const ageMs = times.nowMs() - planned.incident.startedOnMs;
    const { clockSkewMsMax, actionDeadlineMs } = DURATIONS;
    if (ageMs > limits().eventAgeMsMax + clockSkewMsMax + actionDeadlineMs) {
      violate("nothing is sent for an event past its age", `${where}: ${ageMs} ms`);
    }
    verifyOrder(facts, where);
  };
}
