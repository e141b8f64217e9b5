import type { Waiting } from "#fixtures/ports/interleaving.ts";
import { GO } from "#simulator/model/cluster/steps.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

/** The largest number of steps in which a process cleans up after a failure. */
const CLEANUP_STEPS_MAX = 3;

/**
 * Lets a step continue and verifies readiness: an execution retries a failed file operation, and
 * until it succeeds the pod has to be unready.
 */
export async function goAndVerifyReadiness(
  cluster: ModelCluster,
  entry: Waiting<Step, StepResult>,
  how: StepResult,
): Promise<void> {
  const { counts, pods, steps } = cluster;
  const { operation, subject } = entry.what;
  const { who } = entry;
  const [, key, kind] = /([0-9a-f]{64})\.\d+\.(claim|outcome)$/.exec(subject) ?? [];
  const pod = pods.get(who.slice(0, 1));
  // A sweep reads the same files, and leaves a failed one for its next round.
  const execution = key === undefined || pod?.sweeps ? undefined : pod?.execution(key);
  cluster.go(entry, how);
  const asked = operation === "link" || operation === "read";
  const fails = how.kind === "fail" || how.kind === "delay";
  if (!asked || !fails || key === undefined || execution === undefined) return;
  for (let step = 0; step < CLEANUP_STEPS_MAX; step += 1) {
    const own = (await steps.waiting()).find(
      (waitingSteps) => waitingSteps.who === who && waitingSteps.what.operation === "unlink",
    );
    if (own) cluster.go(own, GO);
  }
  await steps.waiting();
  if (pod?.execution(key) !== execution) return;
  counts.add("checks", `readiness, ${operation} of ${kind}`);
  if (pod.history?.state.ready !== false) {
    cluster.violate("a storage failure makes the pod unready", `${who}: ${operation} ${subject}`);
  }
}
