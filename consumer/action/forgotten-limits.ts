import { systemCode } from "#consumer/errors.ts";
import { DAY_MS, headPath, numberOf, runPath } from "./limit-files.ts";
import type { Clock, Files } from "#consumer/ports.ts";
import { readRun, writeHead } from "./run-chain.ts";
import type { WriteOnceFiles } from "#consumer/history/base/write-once.ts";
import { isValueChain, LIMITS_DIRECTORY } from "#consumer/history/base/layout.ts";

export interface ForgettingOptions {
  readonly files: Files;
  readonly writeOnce: WriteOnceFiles;
  readonly clock: Clock;
  /**
   * The greatest age of an event, in milliseconds. Decisions about older events are deleted, because nothing can
   * begin for them any more.
   */
  readonly eventAgeMsMax: number;
}

/** Listing hundreds of thousands of names takes a network volume some time, so it is done rarely. */
const INTERVAL_MS = 3_600_000;
const FORGOTTEN_AT_ONCE = 20_000;
/** The longest cool-down, the largest skew of clocks, and two days. */
const VALUES_IDLE_MS = DAY_MS + 3_600_000 + 2 * DAY_MS;

/**
 * Deletes, at most once an hour, the runs and decisions that are not needed any more, for every rule that ever had
 * limits. A file that cannot be deleted stays. Whole days are kept beyond the age, so that a pod that was suspended,
 * or that sees a stale listing, never finds a name of the chain free again.
 */
export function createForgetting(
  options: ForgettingOptions,
): (giveUp: AbortSignal) => Promise<void> {
  const { files, clock } = options;
  let nextMs = 0;
  return async (giveUp) => {
    if (clock.monotonicMs() < nextMs) return;
    let left = FORGOTTEN_AT_ONCE;
    for (const rule of await listIfPresent(files)) {
      if (giveUp.aborted) return;
      const directory = `${LIMITS_DIRECTORY}/${rule}`;
      left -= isValueChain(rule)
        ? await forgetValues(directory, left, giveUp, options)
        : await forgetRule(directory, left, giveUp, options);
    }
    // When the bound was reached, the next round goes on without waiting.
    if (left > 0) nextMs = clock.monotonicMs() + INTERVAL_MS;
  };
}

/** Deletes the old files of one rule, and returns how many were deleted. */
async function forgetRule(
  directory: string,
  countMax: number,
  giveUp: AbortSignal,
  options: ForgettingOptions,
): Promise<number> {
  const { files, clock, eventAgeMsMax, writeOnce } = options;
  const day = Math.floor((clock.wallMs() - eventAgeMsMax) / DAY_MS) - 2;
  let removed = 0;
  let lowest = Number.POSITIVE_INFINITY;
  let highest = 0;
  for await (const name of files.listEach(directory)) {
    if (giveUp.aborted) return removed;
    const run = numberOf(name, "run");
    if (run > 0) {
      lowest = Math.min(lowest, run);
      highest = Math.max(highest, run);
    }
    const isOld = name.endsWith(".decision") && numberOf(name, "decision") < day;
    if (isOld && removed < countMax && (await remove(files, `${directory}/${name}`))) removed += 1;
  }
  if (highest > 0) await writeHead({ clock, directory, writeOnce }, highest);
  for (let number = lowest; number < highest && removed < countMax; number += 1) {
    if (giveUp.aborted) return removed;
    const path = runPath(directory, number);
    const run = await readRun(path, { files, writeOnce });
    if (run && run.atMs >= day * DAY_MS) break;
    // Links are deleted in their order, so that the chain never has a gap.
    if (run && !(await remove(files, path))) break;
    removed += 1;
  }
  return removed;
}

/**
 * Deletes the whole chain of a combination of values when its newest run is so old that no limit counts it: hosts come
 * and go, and a chain for each would stay for ever. Returns how many files were deleted. A pod that adds a run at this
 * very moment may let one run more take place than the limits allow.
 */
async function forgetValues(
  directory: string,
  countMax: number,
  giveUp: AbortSignal,
  options: ForgettingOptions,
): Promise<number> {
  const { files, clock, eventAgeMsMax, writeOnce } = options;
  // As of a whole rule: what is old goes from the lowest number on, and the newest run stays.
  const removed = await forgetRule(directory, countMax, giveUp, options);
  const numbers = (await files.list(directory)).map((name) => numberOf(name, "run"));
  const runs = numbers.filter((number) => number > 0);
  const [last = 0] = runs;
  if (giveUp.aborted || runs.length > 1) return removed;
  const newest = await readRun(runPath(directory, last), { files, writeOnce });
  const idleMs = clock.wallMs() - (newest?.atMs ?? 0);
  if (idleMs <= eventAgeMsMax + VALUES_IDLE_MS) return removed;
  if (last > 0) await remove(files, runPath(directory, last));
  await remove(files, headPath(directory));
  // Another pod may have added a run since, or have removed the directory.
  await files.removeDirectory(directory).catch(ignoreBusyDirectory);
  return removed + runs.length;
}

function ignoreBusyDirectory(error: unknown): void {
  const code = systemCode(error);
  if (code !== "ENOTEMPTY" && code !== "ENOENT" && code !== "EEXIST") throw error;
}

async function remove(files: Files, path: string): Promise<boolean> {
  try {
    await files.unlink(path);
    return true;
  } catch (error) {
    return systemCode(error) === "ENOENT";
  }
}

async function listIfPresent(files: Files): Promise<readonly string[]> {
  try {
    return await files.list(LIMITS_DIRECTORY);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
