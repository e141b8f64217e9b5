import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "#consumer/errors.ts";
import { UsageError } from "#e2e/errors.ts";

/** The name of a schedule among the artifacts of a run. */
const SCHEDULE_FILE = "schedule.json";

/** The largest depth of a schedule below the given directory: run, schedule, and one more. */
const DEPTH_MAX = 3;

/**
 * Reads the schedule that `path` is or holds. Throws UsageError where there is none or more than
 * one.
 */
export async function findSchedule(
  path: string,
): Promise<{ readonly file: string; readonly text: string }> {
  try {
    const file = (await stat(path)).isDirectory() ? await onlyOne(path) : path;
    return { file, text: await readFile(file, "utf8") };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`replay ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function onlyOne(directory: string): Promise<string> {
  const [file, ...more] = await schedulesBelow(directory, DEPTH_MAX);
  if (file === undefined) {
    throw new UsageError(`replay ${directory}: there is no ${SCHEDULE_FILE} in it`);
  }
  if (more.length === 0) return file;
  const names = [file, ...more].toSorted().map((name) => `  ${name}`);
  throw new UsageError(
    `replay ${directory}: there are ${names.length} schedules in it; name one of them:\n${names.join("\n")}`,
  );
}

async function schedulesBelow(directory: string, depth: number): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const own = entries
    .filter((entry) => entry.name === SCHEDULE_FILE && !entry.isDirectory())
    .map(({ name }) => join(directory, name));
  if (depth === 0) return own;
  const nested = entries
    .filter((entry) => entry.isDirectory())
    .map(async ({ name }) => await schedulesBelow(join(directory, name), depth - 1));
  return [...own, ...(await Promise.all(nested)).flat()];
}
