import { z } from "zod";
import type { FaultRule } from "#simulator/kafka/faults/fault-registry.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";

const APPLIED = ["OffsetCommit", "Produce", "JoinGroup", "SyncGroup", "Heartbeat"] as const;
const DELAYED = [
  "OffsetCommit",
  "Produce",
  "JoinGroup",
  "SyncGroup",
  "Heartbeat",
  "Fetch",
] as const;
/** Errors that a client has to handle, each with the API that answers it. */
const ERRORS = {
  OffsetCommit: ["NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS", "REBALANCE_IN_PROGRESS"],
  Heartbeat: ["NOT_COORDINATOR", "REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID"],
  JoinGroup: ["COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR"],
  SyncGroup: ["REBALANCE_IN_PROGRESS", "NOT_COORDINATOR"],
  Fetch: ["NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION"],
  Produce: ["NOT_LEADER_OR_FOLLOWER", "NOT_ENOUGH_REPLICAS"],
} as const;
const FAILING = [
  "OffsetCommit",
  "Heartbeat",
  "JoinGroup",
  "SyncGroup",
  "Fetch",
  "Produce",
] as const;

const times = z.int().min(1).max(1000);

interface Dropped {
  readonly api: (typeof APPLIED)[number];
  readonly times: number;
}

export const brokerAppliedThenDropped: FaultKind = faultKind<Dropped>({
  name: "broker.applied-then-dropped",
  title: "Requests of a pod are applied, and the connection is closed without a reply.",
  scope: "pod",
  lasting: true,
  needs: ["fault-rules"],
  causes: ["rebalances"],
  parameters: z.strictObject({ api: z.enum(APPLIED), times }),
  // A commit and a heartbeat come soon by themselves.
  draw: (random) => ({
    api: random.pick(["OffsetCommit", "Heartbeat"] as const),
    times: 1 + random.below(3),
  }),
  inject: async ({ deployment, pod }, { api, times: count }) =>
    await ruleFault(
      deployment,
      { api, direction: "reply", clientId: pod, action: { type: "drop" }, times: count },
      `replies to ${api} were dropped`,
    ),
});

interface Delayed {
  readonly api: (typeof DELAYED)[number];
  readonly delayMs: number;
}

export const brokerDelayed: FaultKind = faultKind<Delayed>({
  name: "broker.delayed",
  title: "The broker answers one kind of request of a pod slowly.",
  scope: "pod",
  lasting: true,
  needs: ["fault-rules"],
  causes: [],
  parameters: z.strictObject({ api: z.enum(DELAYED), delayMs: z.int().min(1).max(60_000) }),
  draw: (random) => ({
    api: random.pick(["OffsetCommit", "Heartbeat", "Fetch"] as const),
    delayMs: 100 + random.below(2500),
  }),
  inject: async ({ deployment, pod }, { api, delayMs }) =>
    await ruleFault(
      deployment,
      { api, clientId: pod, action: { type: "delay", delayMs } },
      `${api} requests waited ${delayMs} ms`,
    ),
});

interface Failing {
  readonly api: (typeof FAILING)[number];
  readonly error: string;
  readonly times: number;
}

export const brokerErrors: FaultKind = faultKind<Failing>({
  name: "broker.errors",
  title: "The broker answers one kind of request of a pod with a transient error.",
  scope: "pod",
  lasting: true,
  needs: ["fault-rules"],
  causes: ["rebalances"],
  parameters: z
    .strictObject({ api: z.enum(FAILING), error: z.string(), times })
    .superRefine(({ api, error }, context) => {
      const allowed: readonly string[] = ERRORS[api];
      if (allowed.includes(error)) return;
      const message = `must be a transient error, of ${api} one of ${allowed.join(", ")}`;
      context.addIssue({ code: "custom", path: ["error"], message });
    }),
  draw: (random) => {
    const api = random.pick(["OffsetCommit", "Heartbeat", "Fetch"] as const);
    return { api, error: random.pick<string>(ERRORS[api]), times: 1 + random.below(3) };
  },
  inject: async ({ deployment, pod }, { api, error, times: count }) =>
    await ruleFault(
      deployment,
      { api, clientId: pod, action: { type: "error", error }, times: count },
      `${api} requests were answered ${error}`,
    ),
});

export const brokerPodCutOff: FaultKind = faultKind({
  name: "broker.pod-cut-off",
  title: "One pod loses its connections to the broker and gets no new one, while other pods go on.",
  scope: "pod",
  lasting: true,
  needs: ["fault-rules"],
  causes: ["rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: async ({ deployment, pod }) =>
    await ruleFault(
      deployment,
      { connections: true, clientId: pod, action: { type: "drop" } },
      "connections were cut or refused",
    ),
});

export const brokerDeaf: FaultKind = faultKind<{ readonly applied: boolean }>({
  name: "broker.deaf",
  title: "The connections of one pod stay open but get no more answers.",
  scope: "pod",
  lasting: true,
  needs: ["fault-rules"],
  causes: ["rebalances"],
  parameters: z.strictObject({ applied: z.boolean() }),
  draw: (random) => ({ applied: random.pick([true, false]) }),
  inject: async ({ deployment, pod }, { applied }) =>
    await ruleFault(
      deployment,
      {
        connections: true,
        clientId: pod,
        direction: applied ? "reply" : "request",
        action: { type: "blackhole" },
      },
      `connections became deaf, and their requests are ${applied ? "applied" : "lost"}`,
    ),
});

/** Adds a rule to the broker until the fault is healed. `what` completes "3 ...". */
export async function ruleFault(
  deployment: TestDeployment,
  rule: FaultRule,
  what: string,
): Promise<InjectedFault> {
  // The engine asks whether it fired, so the rule need not throw when it did not.
  const installed = await deployment.broker.addFault({ ...rule, optional: true });
  return lastingFault(
    async () => {
      const hits = await installed.hits();
      return hits === 0 ? undefined : `${hits} ${what}`;
    },
    async () => await installed[Symbol.asyncDispose](),
  );
}
