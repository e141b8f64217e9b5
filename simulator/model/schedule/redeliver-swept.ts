import { assignAll, isCommitted, restart, running, until } from "./progress.ts";
import type { Note } from "./progress.ts";
import { DURATIONS, EXECUTION } from "#simulator/model/settings.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

/**
 * Sweeps completed actions, then delivers their records again while they count as young: because
 * all clocks were ahead for a while, or because the age limit was raised. The random steps hardly
 * ever do all of that to one key.
 */
export async function redeliverSwept(
  cluster: ModelCluster,
  random: StepRandom,
  note: Note,
): Promise<void> {
  const { broker, clock, counts, times } = cluster;
  const isByClock = random.next() < 0.5;
  counts.add("events", isByClock ? "replay after wrong clocks" : "replay after a raised limit");
  const beyondMs = cluster.limits.retentionMs + DURATIONS.clockSkewMsMax + EXECUTION.orphanWaitMs;
  if (isByClock) times.setAhead(beyondMs);
  else await clock.advance(beyondMs);
  // A process compares its clock when it starts.
  await restart(cluster, note);
  // The first sweep writes missing outcomes; the second one deletes what may be deleted then.
  for (const what of ["swept", "swept again"]) {
    await each(cluster, note, what, (pod) => pod.sweep());
    await clock.advance(EXECUTION.orphanWaitMs + DURATIONS.clockSkewMsMax);
  }
  await each(cluster, note, "compacted", (pod) => pod.compact());
  if (isByClock) times.setAhead(0);
  else cluster.raiseLimits();
  await restart(cluster, note);
  for (const partition of broker.partitions.keys()) broker.resetOffset(partition, 0);
  assignAll(cluster);
  await until(cluster, note, "read again", () => isCommitted(cluster));
}

async function each(
  cluster: ModelCluster,
  note: Note,
  what: string,
  work: (pod: ReturnType<typeof running>[number]) => Promise<void>,
): Promise<void> {
  const pods = running(cluster);
  let left = pods.length;
  for (const pod of pods) void work(pod).then(() => (left -= 1));
  await until(cluster, note, what, () => left === 0);
}
