import { z } from "zod";
import { APP } from "#e2e/targets/pods.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";
import { triggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { ArmedTrigger, TriggerContext, TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import { certificateAwaited } from "./certificate.ts";
import { MomentCount } from "./moment-count.ts";

/** Moments of Kubernetes, as the target reports them when they have come. */
export const POD_TRIGGERS: readonly TriggerKind[] = [
  certificateAwaited,
  podTrigger({
    name: "pod.started",
    title: "The container of the consumer has started, in a new pod or again.",
    event: "started",
    requires: ["starts"],
  }),
  podTrigger({
    name: "pod.ready",
    title: "A pod has become ready after one of its containers has started.",
    event: "ready",
    requires: ["starts"],
  }),
  podTrigger({
    name: "pod.terminating",
    title: "The deletion of a pod has been requested.",
    event: "deletion-requested",
    requires: ["stops"],
  }),
  podTrigger({
    name: "pod.pre-stop",
    title: "The preStop hook of the consumer has begun to run.",
    event: "pre-stop-started",
    requires: ["stops"],
    // Only the node reports it.
    needs: ["container-access"],
  }),
];

interface PodMoment extends Pick<TriggerKind, "name" | "title" | "requires"> {
  readonly event: ContainerEvent["name"];
  readonly needs?: TriggerKind["needs"];
}

function podTrigger({ event, needs = [], ...kind }: PodMoment): TriggerKind {
  return triggerKind({
    ...kind,
    holds: false,
    needs,
    parameters: z.strictObject({}),
    draw: () => ({}),
    arm: async (context) => armPod(context, event),
  });
}

function armPod(context: TriggerContext, event: ContainerEvent["name"]): ArmedTrigger {
  const count = new MomentCount(context);
  const stop = context.deployment.target.subscribe((entry) => {
    if (entry.kind !== "container" || entry.name !== event) return;
    // An event of the whole pod names no container.
    const { pod, container = APP } = entry;
    if (container === APP && count.isTheOne(pod)) count.reach(pod, `${event} was seen`);
  });
  const release = async (): Promise<void> => stop();
  return { reached: count.reached, release, [Symbol.asyncDispose]: release };
}
