import { type Waiting, passTime } from "#fixtures/ports/interleaving.ts";
import type { ModelPod } from "#simulator/model/parts/pod.ts";
import { GO, type How, type Step, describeStep } from "#simulator/model/steps.ts";
import type { World } from "#simulator/model/world.ts";

export type Note = (line: string) => void;

/** What becomes of the next step; `crash`: afterwards, its process dies. undefined: instead. */
export type Decide = (entry: Waiting<Step, How>) => { readonly how?: How; readonly crash: boolean };

const STEPS_MAX = 20_000;

/** Every pod goes on, the first first, until `condition` holds or something is violated. */
export async function until(
  world: World,
  note: Note,
  what: string,
  condition: () => boolean,
  decide: Decide = () => ({ how: GO, crash: false }),
): Promise<void> {
  const { broker, clock, pods, steps, violations } = world;
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
      world.go(first, how);
      waiting = await steps.waiting();
    }
    if (crash) {
      world.kill(first.who.slice(0, 1));
      broker.leave(first.who);
      waiting = await steps.waiting();
    }
    world.afterStep();
  }
  violations.push({
    invariant: "every matched event becomes terminal when faults stop",
    detail: `${STEPS_MAX} steps, and not ${what}: ${[...pods.values()].map(({ who, state }) => `${who} ${state}`).join(", ")}`,
  });
}

/** Stops every pod and starts others in their places. */
export async function restart(world: World, note: Note): Promise<void> {
  for (const pod of world.pods.values()) pod.stop();
  await until(world, note, "stopped", () => isEvery(world, "ended"));
  await start(world, note);
}

/** Pods in the places of those that have ended. */
export async function start(world: World, note: Note): Promise<void> {
  const { pods } = world;
  for (const [name, { state }] of pods) if (state === "ended") pods.delete(name);
  for (const name of ["a", "b"]) if (!pods.has(name)) world.start(name);
  await until(world, note, "started", () => isEvery(world, "running"));
}

/** Every partition to a pod that runs. */
export function assignAll(world: World): void {
  const owners = running(world);
  const { partitions } = world.broker;
  world.broker.rebalance(partitions.map((_, index) => owners[index % owners.length]?.who));
}

export function isCommitted({ broker }: World): boolean {
  return broker.idle && broker.partitions.every(({ log, committed }) => committed === log.length);
}

export function isEvery({ pods }: World, ...states: readonly ModelPod["state"][]): boolean {
  return [...pods.values()].every(({ state }) => states.includes(state));
}

export function running({ pods }: World): readonly ModelPod[] {
  return [...pods.values()].filter(({ state }) => state === "running");
}
