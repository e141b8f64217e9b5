import { messageOf } from "#consumer/errors.ts";
import { kindCluster } from "#kind/bring-up.ts";
import { readRecord, recordedClusters } from "#kind/cluster-record.ts";
import { deleteAbandoned } from "#kind/cluster-use.ts";
import { findAbandoned, removeDirectory } from "#e2e/base/owned-directory.ts";

export interface Cleaned {
  /** Directories and clusters, as a person would name them. */
  readonly removed: readonly string[];
  /** What could not be removed, each with its reason. */
  readonly left: readonly string[];
}

/** Removes what runs left behind whose process is gone: directories of pods, and clusters of kind that they made. */
export async function clean(): Promise<Cleaned> {
  const directories = await findAbandoned();
  for (const directory of directories) await removeDirectory(directory);
  const removed = [...directories];
  const left: string[] = [];
  for (const name of await recordedClusters()) {
    const engine = (await readRecord(name))?.engine;
    if (engine === undefined) continue;
    try {
      if (await deleteAbandoned(kindCluster({ name, engine }))) removed.push(`the cluster ${name}`);
    } catch (error) {
      left.push(`the cluster ${name}: ${messageOf(error)}`);
    }
  }
  return { removed, left };
}
