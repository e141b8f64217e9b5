import type { Waiting } from "#fixtures/ports/interleaving.ts";
import { GO, type How, type Step } from "#simulator/model/steps.ts";
import type { Model } from "#simulator/model/model.ts";

/** Steps that a process takes to clean up behind a failure, at most. */
const CLEANUP_STEPS_MAX = 3;

/**
 * Lets a step happen. What an execution asks of the volume is tried again when it fails, and until then the pod says
 * so.
 */
export async function goJudged(model: Model, entry: Waiting<Step, How>, how: How): Promise<void> {
  const { counts, pods, steps } = model;
  const { operation, subject } = entry.what;
  const { who } = entry;
  const [, key, kind] = /([0-9a-f]{64})\.\d+\.(claim|outcome)$/.exec(subject) ?? [];
  const pod = pods.get(who.slice(0, 1));
  // A sweep asks for the same files, and leaves what fails until its next round.
  const execution = key === undefined || pod?.sweeps ? undefined : pod?.execution(key);
  model.go(entry, how);
  const asked = operation === "link" || operation === "read";
  const fails = how.kind === "fail" || how.kind === "delay";
  if (!asked || !fails || key === undefined || execution === undefined) return;
  for (let step = 0; step < CLEANUP_STEPS_MAX; step += 1) {
    const own = (await steps.waiting()).find(
      (standing) => standing.who === who && standing.what.operation === "unlink",
    );
    if (own) model.go(own, GO);
  }
  await steps.waiting();
  if (pod?.execution(key) !== execution) return;
  counts.add("checks", `readiness, ${operation} of ${kind}`);
  if (pod.history?.state.ready !== false) {
    model.violate("a storage failure makes the pod unready", `${who}: ${operation} ${subject}`);
  }
}
