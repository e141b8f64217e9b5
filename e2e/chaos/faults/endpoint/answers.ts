import { z } from "zod";
import type { Rule } from "#simulator/action-endpoint/action-endpoint-control.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { NOT_APPLIED_STATUSES } from "#e2e/chaos/engine/chaos-rules.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { drawTimes, milliseconds, MOMENTS, times } from "./parameters.ts";
import type { Bounded, Moment } from "./parameters.ts";

interface SlowParameters extends Bounded {
  readonly moment: Moment;
  readonly delayMs: number;
}

export const endpointSlow: FaultKind = faultKind<SlowParameters>({
  name: "endpoint.slow",
  title: "The action endpoint is slow, before or after the effect, perhaps beyond the deadline.",
  scope: "deployment",
  lasting: true,
  needs: [],
  causes: ["dead-letters"],
  parameters: z.strictObject({ moment: z.enum(MOMENTS), delayMs: milliseconds, times }),
  draw: (random) => ({
    moment: random.pick(MOMENTS),
    // The delays are on both sides of the short deadline of an action.
    delayMs: 200 + random.below(2000),
    times: drawTimes(random),
  }),
  inject: ({ deployment }, parameters) => slowActions(deployment, parameters),
});

export async function slowActions(
  deployment: TestDeployment,
  { moment, delayMs, ...bounded }: SlowParameters,
): Promise<InjectedFault> {
  const delay = moment === "before-effect" ? { effectDelayMs: delayMs } : { delayMs };
  return installed(
    await deployment.actions.respond({ ...delay, ...bounded }),
    `waited ${delayMs} ms ${moment === "before-effect" ? "for their effect" : "for their answer"}`,
  );
}

interface ResetParameters extends Bounded {
  readonly moment: Moment;
}

export const endpointReset: FaultKind = faultKind<ResetParameters>({
  name: "endpoint.reset",
  title: "The action endpoint resets connections, before or after the effect of the request.",
  scope: "deployment",
  lasting: true,
  needs: [],
  causes: ["dead-letters"],
  parameters: z.strictObject({ moment: z.enum(MOMENTS), times }),
  draw: (random) => ({ moment: random.pick(MOMENTS), times: drawTimes(random) }),
  inject: ({ deployment }, parameters) => resetActions(deployment, parameters),
});

export async function resetActions(
  deployment: TestDeployment,
  { moment, ...bounded }: ResetParameters,
): Promise<InjectedFault> {
  return installed(
    await deployment.actions.reset({ applied: moment === "after-effect", ...bounded }),
    `were reset ${moment}`,
  );
}

interface TooManyRequestsParameters extends Bounded {
  readonly retryAfterSeconds: number;
}

export const endpointTooManyRequests: FaultKind = faultKind<TooManyRequestsParameters>({
  name: "endpoint.too-many-requests",
  title: "The action endpoint refuses requests with 429 and says when to retry.",
  scope: "deployment",
  lasting: true,
  needs: [],
  causes: ["dead-letters"],
  parameters: z.strictObject({ retryAfterSeconds: z.int().min(0).max(3600), times }),
  draw: (random) => ({ retryAfterSeconds: random.below(4), times: drawTimes(random) }),
  inject: ({ deployment }, parameters) => refuseActions(deployment, parameters),
});

/** Answers 429, without an effect. */
export async function refuseActions(
  deployment: TestDeployment,
  { retryAfterSeconds, ...bounded }: TooManyRequestsParameters,
): Promise<InjectedFault> {
  const headers = { "retry-after": String(retryAfterSeconds) };
  return installed(
    await deployment.actions.respond({ status: 429, headers, ...bounded }),
    "were answered 429",
  );
}

const STATUSES = [500, 502, 503, 504] as const;

interface ErrorParameters extends Bounded {
  readonly status: number;
  /** True when the request takes effect all the same. */
  readonly applied: boolean;
}

/**
 * Returns false for an endpoint that applies a request and says that it has not: its actions are
 * executed twice, and no consumer could know.
 */
function isTruthful({ status, applied }: Pick<ErrorParameters, "status" | "applied">): boolean {
  return !applied || !NOT_APPLIED_STATUSES.includes(status);
}

export const endpointError: FaultKind = faultKind<ErrorParameters>({
  name: "endpoint.error",
  title: "The action endpoint answers with a server error, with or without the effect.",
  scope: "deployment",
  lasting: true,
  needs: [],
  causes: ["dead-letters"],
  parameters: z
    .strictObject({ status: z.int().min(500).max(599), applied: z.boolean(), times })
    .refine(isTruthful, {
      path: ["applied"],
      error:
        `must be false with a status by which the rules of the load know that nothing was applied ` +
        `(${NOT_APPLIED_STATUSES.join(", ")})`,
    }),
  draw: (random) => {
    const status = random.pick(STATUSES);
    const applied = random.pick([true, false]);
    return {
      status,
      applied: applied && isTruthful({ status, applied }),
      times: drawTimes(random),
    };
  },
  inject: ({ deployment }, parameters) => failActions(deployment, parameters),
});

/** Answers with a status of 500 to 599. */
export async function failActions(
  deployment: TestDeployment,
  { status, applied, ...bounded }: ErrorParameters,
): Promise<InjectedFault> {
  return installed(
    await deployment.actions.respond({ status, applied, ...bounded }),
    `were answered ${status} ${applied ? "with" : "without"} an effect`,
  );
}

/** Returns a fault that was installed. `what` completes "N requests ...". */
function installed(rule: Rule, what: string): InjectedFault {
  return lastingFault(
    async () => {
      const hits = await rule.hits();
      return hits === 0 ? undefined : `${hits} requests ${what}`;
    },
    async () => await rule[Symbol.asyncDispose](),
  );
}
