import { z } from "zod";
import type { Arrival, HoldMoment } from "#simulator/action-endpoint/action-endpoint-control.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { triggerKind } from "#e2e/chaos/trigger-kind.ts";
import type {
  ArmedTrigger,
  ReachedTrigger,
  TriggerContext,
  TriggerKind,
} from "#e2e/chaos/trigger-kind.ts";
import { claimantOf } from "./claimant.ts";

export const ENDPOINT_TRIGGERS: readonly TriggerKind[] = [
  endpointTrigger({
    name: "endpoint.request-held",
    title: "A request has reached the action endpoint, which holds it before anything is applied.",
    holdMoment: "before-request",
    standing: "held before its effect",
  }),
  endpointTrigger({
    name: "endpoint.effect-held",
    title: "The action endpoint has applied a request and holds the reply.",
    holdMoment: "after-effect",
    standing: "held after its effect",
  }),
];

interface EndpointMoment {
  readonly name: string;
  readonly title: string;
  readonly holdMoment: HoldMoment;
  readonly standing: string;
}

function endpointTrigger({ name, title, ...moment }: EndpointMoment): TriggerKind {
  return triggerKind({
    name,
    title,
    holds: true,
    needs: [],
    requires: ["actions"],
    parameters: z.strictObject({}),
    draw: () => ({}),
    arm: (context) => armEndpoint(context, moment),
  });
}

/** Holds the n-th request (of the pod, where one is given) and lets all others pass. */
async function armEndpoint(
  { deployment, pod, ordinal, signal }: TriggerContext,
  { holdMoment, standing }: Pick<EndpointMoment, "holdMoment" | "standing">,
): Promise<ArmedTrigger> {
  const reached = Promise.withResolvers<ReachedTrigger>();
  let count = 0;
  const isTheOne = async (arrival: Arrival): Promise<boolean> => {
    const sender = await senderOf(deployment, arrival);
    if (signal.aborted || (pod !== null && sender !== pod)) return false;
    count += 1;
    if (count !== ordinal) return false;
    const key = arrival.key === null ? "without a key" : `of key ${arrival.key.slice(0, 12)}`;
    const detail = `${arrival.method} ${arrival.path} ${key} ${standing}`;
    reached.resolve({ atMs: Date.now(), pod: sender, detail });
    return true;
  };
  const hold = await deployment.actions.hold(holdMoment, { when: isTheOne });
  const release = (): Promise<void> => hold.release();
  return { reached: reached.promise, release, [Symbol.asyncDispose]: release };
}

async function senderOf(deployment: TestDeployment, { key }: Arrival): Promise<string | null> {
  if (key === null) return null;
  try {
    return await claimantOf(deployment, key);
  } catch {
    // The volume cannot be read now, so the pod is unknown.
    return null;
  }
}
