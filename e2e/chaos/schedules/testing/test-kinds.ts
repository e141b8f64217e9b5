import { z } from "zod";
import type { Ability } from "#e2e/base/abilities.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import { triggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { Kinds } from "#e2e/chaos/schedules/kinds.ts";
import type { ScheduleEnvironment } from "#e2e/chaos/schedules/rules.ts";

/** Kinds that do not change, for tests of what is done with kinds. */
export const TEST_KINDS: Kinds = {
  faults: [
    testFault("pod.kill", { causes: ["starts", "rebalances"] }),
    testFault("pod.delete", { causes: ["starts", "stops", "rebalances"] }),
    faultKind<{ clientsMax: number }>({
      ...testFault("pod.freeze", { lasting: true, needs: ["container-access"] }),
      parameters: z.strictObject({ clientsMax: z.int().min(1).max(3) }),
      draw: (random) => ({ clientsMax: 1 + random.below(3) }),
    }),
    testFault("broker.outage", { scope: "deployment", lasting: true, needs: ["broker-nodes"] }),
    testFault("broker.rebalance", { scope: "deployment", causes: ["rebalances"] }),
    testFault("endpoint.failing", { scope: "deployment", lasting: true, causes: ["dead-letters"] }),
    testFault("node.drain", { scope: "deployment", needs: ["cluster-nodes"], causes: ["stops"] }),
  ],
  triggers: [
    testTrigger("endpoint.request-held", {}),
    testTrigger("volume.claim-linked", {}),
    triggerKind<{ side: "request" | "reply" }>({
      ...testTrigger("broker.commit-held", { needs: ["fault-rules"] }),
      parameters: z.strictObject({ side: z.enum(["request", "reply"]).default("request") }),
      draw: (random) => ({ side: random.pick(["request", "reply"]) }),
    }),
    testTrigger("broker.dead-letter-held", { requires: ["dead-letters"] }),
    testTrigger("pod.started", { requires: ["starts"], holds: false }),
    testTrigger("pod.stopping", { requires: ["stops"] }),
    testTrigger("certificate.waited-for", { requires: ["certificates"] }),
  ],
};

export const TEST_ENVIRONMENT: ScheduleEnvironment = {
  abilities: new Set<Ability>(["container-access", "broker-nodes", "fault-rules"]),
  description: "the target local with the broker embedded",
};

export function testFault(name: string, change: Partial<FaultKind>): FaultKind {
  return faultKind({
    name,
    title: `The fault ${name}.`,
    scope: "pod",
    lasting: false,
    needs: [],
    causes: [],
    parameters: z.strictObject({}),
    draw: () => ({}),
    inject: () => Promise.reject(new Error("it is for tests only")),
    ...change,
  });
}

export function testTrigger(name: string, change: Partial<TriggerKind>): TriggerKind {
  return triggerKind({
    name,
    title: `The moment ${name}.`,
    holds: true,
    needs: [],
    requires: ["actions"],
    parameters: z.strictObject({}),
    draw: () => ({}),
    arm: () => Promise.reject(new Error("it is for tests only")),
    ...change,
  });
}

export function testSchedule(change: Partial<Schedule> = {}): Schedule {
  return {
    version: 1,
    seed: 42,
    replicas: 2,
    partitions: 4,
    load: DEFAULT_LOAD,
    steps: [
      { when: { trigger: "volume.claim-linked" }, do: { fault: "pod.kill", pod: "held" } },
      {
        when: { trigger: "pod.started", ordinal: 2, budgetMs: 500 },
        do: { fault: "broker.outage" },
        until: { elapsedMs: 1000 },
      },
      {
        when: { trigger: "broker.commit-held", pod: { nth: 2 }, side: "reply" },
        do: { fault: "pod.freeze", pod: "other", clientsMax: 2 },
        until: { elapsedMs: 700 },
      },
    ],
    ...change,
  };
}
