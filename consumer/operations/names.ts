import { messageOf, systemCode } from "#consumer/errors.ts";
import {
  CLAIMS_DIRECTORY,
  IMPORTED_DIRECTORY,
  isShardName,
  isSnapshotName,
  JOURNAL_DIRECTORY,
  parseAttemptName,
  SNAPSHOT_DIRECTORY,
} from "#consumer/history/base/layout.ts";
import type { Files } from "#consumer/ports.ts";

/** Decides for each directory of the history whether a name belongs there. In `temporary` every name does. */
const NAMES: Readonly<Record<string, (name: string) => boolean>> = {
  [JOURNAL_DIRECTORY]: (name) => /^[\w.-]+\.log$/.test(name),
  [SNAPSHOT_DIRECTORY]: isSnapshotName,
  [IMPORTED_DIRECTORY]: (name) => /^[0-9a-f]{16}\.json$/.test(name),
};

interface Findings {
  /** The paths of files that do not belong there, such as those that an editor or a file server left. */
  readonly strays: string[];
  readonly complaints: string[];
}

/**
 * Returns every key that has a claim, in order. Files that do not belong and directories that cannot be listed are
 * added to `findings`. Throws only when the top directory of the claims cannot be listed.
 */
export async function listKeys(files: Pick<Files, "list">, findings: Findings): Promise<string[]> {
  const keys = new Set<string>();
  for (const shard of await files.list(CLAIMS_DIRECTORY)) {
    const directory = `${CLAIMS_DIRECTORY}/${shard}`;
    if (!isShardName(shard)) {
      findings.strays.push(directory);
      continue;
    }
    for (const name of await listed(files, directory, findings)) {
      const parsed = parseAttemptName(name);
      if (!parsed?.key.startsWith(shard)) findings.strays.push(`${directory}/${name}`);
      else if (parsed.kind === "claim") keys.add(parsed.key);
    }
  }
  for (const [directory, belongs] of Object.entries(NAMES)) {
    for (const name of await listed(files, directory, findings)) {
      if (!belongs(name)) findings.strays.push(`${directory}/${name}`);
    }
  }
  return [...keys].toSorted();
}

async function listed(
  files: Pick<Files, "list">,
  directory: string,
  { strays, complaints }: Findings,
): Promise<string[]> {
  try {
    return await files.list(directory);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    if (code === "ENOTDIR") strays.push(directory);
    else if (code !== "ENOENT") complaints.push(`${directory}: ${messageOf(error)}`);
    return [];
  }
}
