import { messageOf } from "#consumer/errors.ts";
import { kindCluster } from "#kind/bring-up.ts";
import { readRecord, recordedClusters } from "#kind/cluster-record.ts";
import { deleteAbandoned } from "#kind/cluster-use.ts";
import { findAbandoned, removeDirectory } from "#e2e/base/owned-directory.ts";

export interface Cleaned {
  /** Directories and clusters that were removed, in words for a user. */
  readonly removed: readonly string[];
  /** Objects that could not be removed, each with its reason. */
  readonly left: readonly string[];
}

/** Removes the leftovers of runs whose process is gone: directories of pods, and kind clusters that those runs made. */
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
