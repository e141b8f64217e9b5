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

/** Returns whether a name belongs in a directory of the history. In `temporary` every name does. */
const NAMES: Readonly<Record<string, (name: string) => boolean>> = {
  [JOURNAL_DIRECTORY]: (name) => /^[\w.-]+\.log$/.test(name),
  [SNAPSHOT_DIRECTORY]: isSnapshotName,
  [IMPORTED_DIRECTORY]: (name) => /^[0-9a-f]{16}\.json$/.test(name),
};

interface Findings {
  /** Paths of what does not belong there: what an editor, a file server or a hand left. */
  readonly strays: string[];
  readonly complaints: string[];
}

/**
 * Every key that has a claim, in order. What does not belong is named in `findings`, and so is a directory that cannot
 * be listed: neither ends anything. Throws the errors of listing the top of the claims.
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
