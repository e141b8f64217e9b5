import { z } from "zod";
import type { Activity } from "#e2e/chaos/activities.ts";
import { triggerKind } from "#e2e/chaos/trigger-kind.ts";
import type {
  ArmedTrigger,
  ReachedTrigger,
  TriggerContext,
  TriggerKind,
} from "#e2e/chaos/trigger-kind.ts";

/**
 * A request that the broker can hold. There is one kind for each, since they require different
 * activities.
 */
interface BrokerMoment {
  readonly api: "OffsetCommit" | "Produce" | "JoinGroup" | "SyncGroup" | "Fetch";
  readonly what: string;
  readonly requires: readonly Activity[];
}

const MOMENTS: readonly BrokerMoment[] = [
  { api: "OffsetCommit", what: "a commit", requires: ["actions"] },
  { api: "Produce", what: "a dead letter", requires: ["dead-letters"] },
  { api: "JoinGroup", what: "a request to join the group", requires: ["rebalances"] },
  { api: "SyncGroup", what: "a request for the assignment", requires: ["rebalances"] },
  { api: "Fetch", what: "a request for records", requires: ["actions"] },
];

export const BROKER_TRIGGERS: readonly TriggerKind[] = MOMENTS.flatMap((moment) => [
  brokerTrigger(moment, "request"),
  brokerTrigger(moment, "reply"),
]);

function brokerTrigger(
  { api, what, requires }: BrokerMoment,
  direction: "request" | "reply",
): TriggerKind {
  const name = api.replaceAll(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
  return triggerKind({
    name: `broker.${name}-${direction}`,
    title:
      direction === "request"
        ? `The broker has read ${what} of a pod and holds it before it is applied.`
        : `The broker has applied ${what} of a pod and holds the reply.`,
    holds: true,
    needs: ["fault-rules"],
    requires,
    parameters: z.strictObject({}),
    draw: () => ({}),
    arm: async (context) => await armBroker(context, api, direction),
  });
}

async function armBroker(
  { deployment, pod, ordinal }: TriggerContext,
  api: BrokerMoment["api"],
  direction: "request" | "reply",
): Promise<ArmedTrigger> {
  const { names, broker } = deployment;
  const held = await broker.addFault({
    api,
    direction,
    action: { type: "barrier" },
    skip: ordinal - 1,
    times: 1,
    optional: true,
    ...(pod !== null && { clientId: pod }),
    // Only a pod joins the group or publishes a dead letter.
    ...(api === "Produce" && { topic: names.deadLetterTopic }),
    ...(api === "Fetch" && { topic: names.topic }),
  });
  const { promise: reached, resolve } = Promise.withResolvers<ReachedTrigger>();
  held.arrived().then(
    ({ clientId }) =>
      resolve({ atMs: Date.now(), pod: clientId, detail: `${direction} of ${api} held` }),
    // It was disarmed before it came.
    () => {},
  );
  const release = async (): Promise<void> => await held[Symbol.asyncDispose]();
  return { reached, release, [Symbol.asyncDispose]: release };
}
