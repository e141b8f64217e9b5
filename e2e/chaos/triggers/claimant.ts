import { attemptPath } from "#consumer/history/base/layout.ts";
import { parseObject } from "#e2e/checkers/history-files.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";

/**
 * Returns the pod that holds the newest claim of the key, according to its file on the volume; null
 * where there is none.
 */
export async function claimantOf(deployment: TestDeployment, key: string): Promise<string | null> {
  let pod: string | null = null;
  for (let attempt = 1; ; attempt += 1) {
    const path = attemptPath(key, attempt, "claim");
    const claim = parseObject(await deployment.target.readVolume(deployment.claim, path));
    if (claim === undefined) return pod;
    pod = typeof claim.pod === "string" ? claim.pod : null;
  }
}
