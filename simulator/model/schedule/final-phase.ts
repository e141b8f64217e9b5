import type { Random } from "#consumer/ports.ts";
import { assignAll, isCommitted, isEvery, running, start, until } from "./progress.ts";
import type { Note } from "./progress.ts";
import { verifyRecovery } from "#simulator/model/verification/verify-recovery.ts";
import { redeliverSwept } from "./redeliver-swept.ts";
import { DURATIONS, EXECUTION } from "#simulator/model/settings.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

/** The parts of a run after all faults have ended. An undefined part is left out. */
export interface FinalPhase {
  /** Records whose claims were swept are delivered again. */
  readonly redelivery: StepRandom | undefined;
  /** All claims become old and are swept. */
  readonly sweep: StepRandom | undefined;
  /** The volume is opened again, with a truncated journal and with a damaged record. */
  readonly recovery: Random;
}

export function drawsRedelivery(random: StepRandom): boolean {
  return random.next() < 0.3;
}

export function drawsSweep(random: StepRandom): boolean {
  return random.next() < 0.5;
}

/**
 * Lets every pod continue in order until all records are committed, then stops the pods and
 * verifies what is left.
 */
export async function playFinalPhase(
  cluster: ModelCluster,
  finalPhase: FinalPhase,
  note: Note,
): Promise<void> {
  const { clock, verifier, pods, violations } = cluster;
  const { redelivery, sweep, recovery } = finalPhase;
  await until(cluster, note, "stopped", () => isEvery(cluster, "starting", "running", "ended"));
  await start(cluster, note);
  assignAll(cluster);
  await until(cluster, note, "committed", () => isCommitted(cluster));
  const ready = (): boolean => running(cluster).every(({ history }) => history?.state.ready);
  await until(cluster, note, "ready", ready);
  if (redelivery) await redeliverSwept(cluster, redelivery, note);
  const owners = running(cluster);
  if (sweep) {
    // The first sweep comes at any time and may delete only what is old; at the second one
    // everything is old.
    const anyTimeMs = sweep.below(DURATIONS.eventAgeMsMax);
    for (const durationMs of [anyTimeMs, cluster.limits.retentionMs + EXECUTION.orphanWaitMs]) {
      await clock.advance(durationMs);
      let swept = false;
      void owners[0]?.sweep().then(() => (swept = true));
      await until(cluster, note, "swept", () => swept);
    }
  }
  for (const pod of pods.values()) pod.stop();
  await until(cluster, note, "stopped", () => isEvery(cluster, "ended"));
  if (violations.length > 0) return;
  verifier.onRunEnd(sweep !== undefined);
  await verifyRecovery(cluster, recovery);
}
