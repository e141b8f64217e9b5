import type { V1Pod } from "@kubernetes/client-node";
import type { GroupMember } from "#e2e/brokers/broker.ts";
import { isRunning, isTerminating, podName } from "#e2e/targets/pods.ts";
import type { PodSelector } from "#e2e/chaos/activities.ts";

/** The source from which roles are resolved. */
export interface RoleSource {
  /** Returns the present pods in the order of creation. */
  pods(): Promise<readonly V1Pod[]>;
  /** Returns the members of the consumer group. The client id of each is the name of its pod. */
  members(): Promise<readonly GroupMember[]>;
  /** The topic of incidents. */
  readonly topic: string;
}

/**
 * Returns the name of the pod that has a role now, or undefined when no pod has it. `held` is the
 * pod that is held at the trigger. The oldest pod stands in for the owner when partition 0 has no
 * owner (while the group is formed) or nothing tells which pod a member is.
 */
export async function podOfRole(
  selector: PodSelector,
  held: string | null,
  source: RoleSource,
): Promise<string | undefined> {
  if (selector === "held" && held !== null) return held;
  const running = (await source.pods()).filter(isTarget).map((pod) => podName(pod));
  if (typeof selector === "object") return running[selector.nth - 1];
  if (selector === "oldest") return running[0];
  if (selector === "newest") return running.at(-1);
  const owner = (await ownerOf(source, running)) ?? running[0];
  return selector === "other" ? running.find((name) => name !== owner) : owner;
}

/**
 * Returns true for a pod that can be chosen: not for one that is terminating, or whose app waits to
 * be started again.
 */
function isTarget(pod: V1Pod): boolean {
  return !isTerminating(pod) && isRunning(pod);
}

async function ownerOf(
  source: RoleSource,
  running: readonly string[],
): Promise<string | undefined> {
  const members = await source.members();
  const owner = members.find(({ partitions }) =>
    partitions.some(({ topic, partition }) => topic === source.topic && partition === 0),
  );
  return running.find((name) => name === owner?.clientId);
}
