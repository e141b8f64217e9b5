import { type Note, assignAll, isCommitted, restart, running, until } from "./schedule/progress.ts";
import { DURATIONS, EXECUTION } from "./settings.ts";
import type { StepRandom } from "./step-random.ts";
import type { Model } from "./model.ts";

/**
 * What was done is swept, comes again, and is young again: since all clocks were ahead for a while, or since the age limit
 * was raised. Chaos alone hardly ever does all of that to one key.
 */
export async function replaySwept(model: Model, draws: StepRandom, note: Note): Promise<void> {
  const { broker, clock, counts, times } = model;
  const isByClock = draws.next() < 0.5;
  counts.add("events", isByClock ? "replay after wrong clocks" : "replay after a raised limit");
  const beyondMs = model.limits.retentionMs + DURATIONS.clockSkewMsMax + EXECUTION.orphanWaitMs;
  if (isByClock) times.setAhead(beyondMs);
  else await clock.advance(beyondMs);
  // A process that starts compares its clock first.
  await restart(model, note);
  // Once for the ends that are missing, then once more for what may be deleted.
  for (const what of ["swept", "swept again"]) {
    await each(model, note, what, (pod) => pod.sweep());
    await clock.advance(EXECUTION.orphanWaitMs + DURATIONS.clockSkewMsMax);
  }
  await each(model, note, "compacted", (pod) => pod.compact());
  if (isByClock) times.setAhead(0);
  else model.raiseLimits();
  await restart(model, note);
  for (const partition of broker.partitions.keys()) broker.resetOffset(partition, 0);
  assignAll(model);
  await until(model, note, "read again", () => isCommitted(model));
}

async function each(
  model: Model,
  note: Note,
  what: string,
  work: (pod: ReturnType<typeof running>[number]) => Promise<void>,
): Promise<void> {
  const pods = running(model);
  let left = pods.length;
  for (const pod of pods) void work(pod).then(() => (left -= 1));
  await until(model, note, what, () => left === 0);
}
