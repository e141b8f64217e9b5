import { type Waiting, passTime } from "#fixtures/ports/interleaving.ts";
import type { ModelPod } from "#simulator/model/parts/pod.ts";
import { GO, type How, type Step, describeStep } from "#simulator/model/steps.ts";
import type { Model } from "#simulator/model/model.ts";

export type Note = (line: string) => void;

/** What becomes of the next step; `crash`: afterwards, its process dies. undefined: instead. */
export type Decide = (entry: Waiting<Step, How>) => { readonly how?: How; readonly crash: boolean };

const STEPS_MAX = 20_000;

/** Every pod goes on, the first first, until `condition` holds or something is violated. */
export async function until(
  model: Model,
  note: Note,
  what: string,
  condition: () => boolean,
  decide: Decide = () => ({ how: GO, crash: false }),
): Promise<void> {
  const { broker, clock, pods, steps, violations } = model;
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
      model.go(first, how);
      waiting = await steps.waiting();
    }
    if (crash) {
      model.kill(first.who.slice(0, 1));
      broker.leave(first.who);
      waiting = await steps.waiting();
    }
    model.afterStep();
  }
  violations.push({
    invariant: "every matched event becomes terminal when faults stop",
    detail: `${STEPS_MAX} steps, and not ${what}: ${[...pods.values()].map(({ who, state }) => `${who} ${state}`).join(", ")}`,
  });
}

/** Stops every pod and starts others in their places. */
export async function restart(model: Model, note: Note): Promise<void> {
  for (const pod of model.pods.values()) pod.stop();
  await until(model, note, "stopped", () => isEvery(model, "ended"));
  await start(model, note);
}

/** Pods in the places of those that have ended. */
export async function start(model: Model, note: Note): Promise<void> {
  const { pods } = model;
  for (const [name, { state }] of pods) if (state === "ended") pods.delete(name);
  for (const name of ["a", "b"]) if (!pods.has(name)) model.start(name);
  await until(model, note, "started", () => isEvery(model, "running"));
}

/** Every partition to a pod that runs. */
export function assignAll(model: Model): void {
  const owners = running(model);
  const { partitions } = model.broker;
  model.broker.rebalance(partitions.map((_, index) => owners[index % owners.length]?.who));
}

export function isCommitted({ broker }: Model): boolean {
  return broker.idle && broker.partitions.every(({ log, committed }) => committed === log.length);
}

export function isEvery({ pods }: Model, ...states: readonly ModelPod["state"][]): boolean {
  return [...pods.values()].every(({ state }) => states.includes(state));
}

export function running({ pods }: Model): readonly ModelPod[] {
  return [...pods.values()].filter(({ state }) => state === "running");
}
