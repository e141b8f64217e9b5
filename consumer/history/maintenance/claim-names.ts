import { systemCode } from "#consumer/errors.ts";
import { parseAttemptName } from "#consumer/history/base/layout.ts";
import type { Files } from "#consumer/ports.ts";

/** The file names of one key, in the order of the attempts. */
export interface Names {
  readonly attempts: Set<number>;
  readonly names: string[];
}

/** Lists a directory of claims. A directory that does not exist has none. */
export async function listNames(files: Files, directory: string): Promise<string[]> {
  try {
    return await files.list(directory);
  } catch (error) {
    // A file in the place of a directory holds no claims.
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return [];
    throw error;
  }
}

/** Groups the names by their keys, in the order of the keys. Other names are left out. */
export function namesByKey(names: readonly string[]): [string, Names][] {
  const keys = new Map<string, Names>();
  for (const name of names) {
    const parsed = parseAttemptName(name);
    if (!parsed) continue;
    const { key, attempt, kind } = parsed;
    const of = keys.get(key) ?? { attempts: new Set<number>(), names: [] };
    of.names.push(name);
    if (kind !== "resolution") of.attempts.add(attempt);
    keys.set(key, of);
  }
  return [...keys]
    .filter(([, { attempts }]) => attempts.size > 0)
    .map(([key, { attempts, names: of }]): [string, Names] => [
      key,
      { attempts, names: of.toSorted((one, other) => attemptOf(one) - attemptOf(other)) },
    ])
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
}

function attemptOf(name: string): number {
  return parseAttemptName(name)?.attempt ?? 0;
}

/**
 * Deletes claims before outcomes, durably: a claim that came back without its outcome would count as in doubt, whereas
 * an outcome without its claim means nothing. The first attempt of a key is deleted first, so that the rest of an
 * interrupted deletion is never mistaken for a key whose later attempts are still to come.
 */
export async function deleteNames(
  directory: string,
  names: readonly string[],
  files: Files,
): Promise<void> {
  if (names.length === 0) return;
  for (const name of names.filter(isClaim)) await unlinkPresent(files, `${directory}/${name}`);
  await files.syncDirectory(directory);
  for (const name of names.filter((other) => !isClaim(other))) {
    await unlinkPresent(files, `${directory}/${name}`);
  }
}

export function isClaim(name: string): boolean {
  return parseAttemptName(name)?.kind === "claim";
}

async function unlinkPresent(files: Files, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
