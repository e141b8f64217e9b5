import {
  CLAIMS_DIRECTORY,
  JOURNAL_DIRECTORY,
  SNAPSHOT_DIRECTORY,
} from "#consumer/history/base/layout.ts";
import type { PlannedRecord } from "#e2e/checkers/collect/kit-record.ts";
import { APP } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { allowedFiles } from "./bounds.ts";
import type { SoakSample } from "./sample.ts";

export interface VolumeSampleOptions {
  readonly subject: string;
  /** True when faults make pods begin new journals, so that the allowed number is unknown. */
  readonly isDisturbed: boolean;
  readonly atMs: number;
}

/**
 * Counts the files of the history of a deployment by their names, and returns how many of each
 * there may be by now.
 */
export async function sampleVolume(
  deployment: TestDeployment,
  { subject, isDisturbed, atMs }: VolumeSampleOptions,
): Promise<SoakSample> {
  const { target, claim } = deployment;
  const list = async (path: string): Promise<string[]> => await target.listVolume(claim, path);
  const [shards, journals, snapshots] = await Promise.all([
    list(CLAIMS_DIRECTORY),
    list(JOURNAL_DIRECTORY),
    list(SNAPSHOT_DIRECTORY),
  ]);
  let claims = 0;
  let outcomes = 0;
  for (const shard of shards) {
    for (const name of await list(`${CLAIMS_DIRECTORY}/${shard}`)) {
      if (name.endsWith(".claim")) claims += 1;
      else if (name.endsWith(".outcome")) outcomes += 1;
    }
  }
  // This is read afterwards: what is on the volume was published and started before.
  const starts = target
    .history()
    .filter(({ name, container }) => name === "started" && container === APP).length;
  const { journals: allowedJournals, ...others } = allowedFiles({
    attempts: allowedAttempts(deployment.record.records),
    starts,
    claims,
  });
  return {
    atMs,
    kind: "volume",
    subject,
    measures: { claims, outcomes, journals: journals.length, snapshots: snapshots.length },
    allowed: isDisturbed ? others : { journals: allowedJournals, ...others },
  };
}

/** Counts the attempts of every action of the load once, however often its record was published. */
function allowedAttempts(records: readonly Pick<PlannedRecord, "expected">[]): number {
  const attempts = new Map<string, number>();
  for (const { expected } of records) {
    for (const { rule, action, incident, transition, startedOnMs, attemptsMax } of expected) {
      attempts.set(JSON.stringify([rule, action, incident, transition, startedOnMs]), attemptsMax);
    }
  }
  return [...attempts.values()].reduce((sum, count) => sum + count, 0);
}
