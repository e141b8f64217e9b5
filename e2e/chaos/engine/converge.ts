import { checkOffsets } from "#e2e/checkers/check-offsets.ts";
import { checkTerminal } from "#e2e/checkers/check-terminal.ts";
import { ExpectationError } from "#e2e/errors.ts";
import { progressOf } from "#e2e/deployment/find-violations.ts";
import { isReady, isTerminating } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";

/**
 * Waits until everything has converged: that many pods are ready, everything published is
 * committed, every claim has its outcome, every dead letter is in its topic, and the view shows
 * what it showed before. Returns what is still open when the time is over, and nothing when all has
 * converged.
 */
export async function converge(
  deployment: TestDeployment,
  replicas: number,
  convergeMsMax: number,
): Promise<readonly string[]> {
  let open: readonly string[] = [];
  const hasConverged = async (): Promise<boolean> => {
    open = await openWork(deployment, replicas);
    return open.length === 0;
  };
  try {
    await deployment.until("everything has converged", hasConverged, { deadlineMs: convergeMsMax });
  } catch (error) {
    if (!(error instanceof ExpectationError) || open.length === 0) throw error;
  }
  return open;
}

/** Returns the number of records that the group has not committed. */
export async function uncommitted(deployment: TestDeployment): Promise<number> {
  const progress = await progressOf(deployment.broker, deployment.names);
  return progress.reduce((sum, { end, committed }) => sum + Number(end - (committed ?? 0n)), 0);
}

/**
 * Returns what is still open. Cheap checks come first; the volume is read when everything else is
 * complete.
 */
async function openWork(deployment: TestDeployment, replicas: number): Promise<readonly string[]> {
  const pods = (await deployment.target.pods()).filter((pod) => !isTerminating(pod));
  const ready = pods.filter((pod) => isReady(pod)).length;
  if (ready !== replicas || pods.length !== replicas) {
    return [`${ready} of ${pods.length} pods are ready, ${replicas} are expected`];
  }
  const lag = checkOffsets(await progressOf(deployment.broker, deployment.names));
  if (lag.length > 0) return lag;
  const open = checkTerminal({
    expected: [],
    files: await deployment.historyFiles(),
    effects: [],
    deadLetters: (await deployment.deadLetters()).map(({ headers }) => ({
      key: headers["action-key"] ?? null,
      attempt: Number(headers["action-attempt"]),
      reason: headers["dead-letter-reason"] ?? "",
    })),
  });
  return open.length > 0 ? open : deployment.contractFile.missing;
}
