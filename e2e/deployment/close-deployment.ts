import { mkdir } from "node:fs/promises";
import { recordHistory } from "./record-history.ts";
import { expectVerdict, writeVerdict } from "#e2e/checkers/collect/write-verdict.ts";
import type { TestDeployment } from "./test-deployment.ts";

export interface CloseDeploymentOptions {
  /** The directory that receives the logs of every container run. */
  readonly logs: string;
  /** The directory that receives `history.ndjson` and `verdict.json`. */
  readonly artifacts: string;
  /** A suffix of those file names, before the extension, for scenarios with several deployments. */
  readonly suffix: string;
  /** Every secret of the run. The secrets of the deployment are added. */
  readonly secrets: Map<string, string>;
}

/** Takes the deployment down, keeps its logs, and judges its history. Returns all errors on the way, oldest first. */
export async function closeDeployment(
  deployment: TestDeployment,
  options: CloseDeploymentOptions,
): Promise<unknown[]> {
  const { logs, artifacts, suffix, secrets } = options;
  const errors: unknown[] = [];
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      errors.push(error);
      return undefined;
    }
  };
  const recorded = await attempt(async () => await recordHistory(deployment));
  await attempt(async () => {
    for (const [name, value] of await deployment.secrets()) secrets.set(`${name} (${logs})`, value);
  });
  await attempt(async () => await deployment[Symbol.asyncDispose]());
  // The logs are complete only now.
  const saved = await attempt(async () => {
    await mkdir(logs, { recursive: true });
    await deployment.target.saveLogs(logs);
    return logs;
  });
  await attempt(async () => {
    if (recorded === undefined) return;
    expectVerdict(await writeVerdict(await recorded(saved), artifacts, suffix));
  });
  return errors;
}
