import type { Claim } from "#consumer/history/claims/claims.ts";
import type { Fields, SendResult } from "#consumer/ports.ts";
import type { PlannedAction, RejectedAction } from "#consumer/planning/plan.ts";
import { traceparent } from "./traceparent.ts";
import type { Run, Sends } from "./types.ts";

export function createSends(): Sends {
  let underWay: Promise<unknown> = Promise.resolve();
  return {
    during(work) {
      const sending = work();
      underWay = sending.catch(() => undefined);
      return sending;
    },
    async ended() {
      await underWay;
    },
  };
}

/** Logs the attempt of this claim, then sends it once. */
export async function send(
  { dependencies, sends }: Run,
  planned: PlannedAction,
  claim: Claim,
  deadlineMs: number,
): Promise<SendResult> {
  const { clock, log, metrics, sender } = dependencies;
  const { key, spec } = planned;
  const options = {
    idempotencyKey: key,
    traceparent: traceparent(key, claim.nonce),
    deadlineMs,
  };
  log.info("action.sending", attemptFields(planned, claim));
  const startMs = clock.monotonicMs();
  try {
    return await sends.during(() => sender.send(spec, options));
  } catch (error) {
    log.error("action.sender-failed", { key, error });
    return { outcome: "in-doubt", detail: "the sender failed" };
  } finally {
    metrics.observe("action", clock.monotonicMs() - startMs);
  }
}

/**
 * Returns the log fields of an attempt. The nonce ties the log line to the files of the attempt and to the request
 * that the action endpoint received.
 */
export function attemptFields(
  { rule, action, incident }: PlannedAction | RejectedAction,
  { key, attempt, nonce }: Claim,
): Fields {
  return { key, attempt, nonce, rule, action, incident: incident.id };
}
