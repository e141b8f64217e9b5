import { passTime } from "#fixtures/ports/interleaving.ts";
import type { Waiting } from "#fixtures/ports/interleaving.ts";
import type { ModelPod } from "#simulator/model/cluster/pod.ts";
import { GO, describeStep } from "#simulator/model/cluster/steps.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

export type Note = (line: string) => void;

/**
 * Decides the result of the next step. With `crash` its process dies afterwards, or instead when
 * there is no result.
 */
export type Decide = (entry: Waiting<Step, StepResult>) => {
  readonly how?: StepResult;
  readonly crash: boolean;
};

const STEPS_MAX = 20_000;

/**
 * Lets the process that has waited longest continue, again and again, until `condition` holds or an
 * invariant is violated.
 */
export async function until(
  cluster: ModelCluster,
  note: Note,
  what: string,
  condition: () => boolean,
  decide: Decide = () => ({ how: GO, crash: false }),
): Promise<void> {
  const { broker, clock, pods, steps, violations } = cluster;
  let waiting = await steps.waiting();
  for (let step = 0; step < STEPS_MAX; step += 1) {
    if (violations.length > 0 || condition()) return;
    const [first] = waiting;
    if (!first) {
      await passTime(clock);
      waiting = await steps.waiting();
      continue;
    }
    const { how, crash } = decide(first);
    note(`${first.who} ${describeStep(first.what)}${crash ? ": crashes" : ""}`);
    if (how) {
      cluster.go(first, how);
      waiting = await steps.waiting();
    }
    if (crash) {
      cluster.kill(first.who.slice(0, 1));
      broker.leave(first.who);
      waiting = await steps.waiting();
    }
    cluster.afterStep();
  }
  const states = [...pods.values()].map(({ who, state }) => `${who} ${state}`);
  violations.push({
    invariant: "every matched event becomes terminal when faults stop",
    detail: `not ${what} after ${STEPS_MAX} steps: ${states.join(", ")}`,
  });
}

/** Stops every pod and starts new ones in their places. */
export async function restart(cluster: ModelCluster, note: Note): Promise<void> {
  for (const pod of cluster.pods.values()) pod.stop();
  await until(cluster, note, "stopped", () => isEvery(cluster, "ended"));
  await start(cluster, note);
}

/** Starts pods in the places of those that have ended. */
export async function start(cluster: ModelCluster, note: Note): Promise<void> {
  const { pods } = cluster;
  for (const [name, { state }] of pods) if (state === "ended") pods.delete(name);
  for (const name of ["a", "b"]) if (!pods.has(name)) cluster.start(name);
  await until(cluster, note, "started", () => isEvery(cluster, "running"));
}

/** Assigns every partition to a running pod. */
export function assignAll(cluster: ModelCluster): void {
  const owners = running(cluster);
  const { partitions } = cluster.broker;
  cluster.broker.rebalance(partitions.map((_, index) => owners[index % owners.length]?.who));
}

export function isCommitted({ broker }: ModelCluster): boolean {
  return broker.idle && broker.partitions.every(({ log, committed }) => committed === log.length);
}

export function isEvery({ pods }: ModelCluster, ...states: readonly ModelPod["state"][]): boolean {
  return [...pods.values()].every(({ state }) => states.includes(state));
}

export function running({ pods }: ModelCluster): readonly ModelPod[] {
  return [...pods.values()].filter(({ state }) => state === "running");
}
