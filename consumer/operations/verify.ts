import { messageOf, systemCode } from "#consumer/errors.ts";
import { CONTROL_DIRECTORY, PAUSE_FILE } from "#consumer/history/base/layout.ts";
import { readPauseOrder } from "#consumer/history/control/pause-file.ts";
import type { Attempt, ReadableFiles, Volume } from "./volume.ts";

const CONTRACT_FILE = "automation_action_history.json";

/**
 * Verifies what must hold on any volume at any moment: every file is whole and agrees with its name, no attempt follows
 * one that does not permit it, and journals and claims agree. Work that goes on meanwhile causes no fault.
 */
export async function verifyVolume(
  volume: Volume,
  files: ReadableFiles,
): Promise<{ faults: string[]; checked: number }> {
  const keys = await volume.keys();
  const faults = [...volume.complaints];
  for (const key of keys) {
    faults.push(...verifyKey(key, await volume.attempts(key), volume));
  }
  const pause = await verifyPause(files);
  if (pause !== undefined) faults.push(pause);
  const contract = await verifyContractFile(files);
  if (contract !== undefined) faults.push(contract);
  return { faults, checked: keys.length };
}

function verifyKey(key: string, attempts: readonly Attempt[], { history }: Volume): string[] {
  const faults: string[] = [];
  const nonces = new Set<string>();
  for (const [index, { attempt, claim, outcome, damage }] of attempts.entries()) {
    const place = `${key} attempt ${attempt}`;
    faults.push(...damage);
    if (claim && nonces.has(claim.nonce)) {
      faults.push(`${place}: its nonce is that of another attempt`);
    }
    if (claim) nonces.add(claim.nonce);
    const previous = attempts[index - 1];
    if (previous && !mayBeTriedAgain(previous)) {
      faults.push(`${place}: the attempt before it ended as ${previous.state}`);
    }
    if (claim && outcome?.outcome === "done" && outcome.nonce !== claim.nonce) {
      faults.push(`${place}: done, but not by the pod that claimed it`);
    }
  }
  const entry = history.index.find(key);
  const outcome = entry && attempts.find(({ attempt }) => attempt === entry.attempt)?.outcome;
  // An owner's late "done" is journalled beside the "in-doubt" of another pod.
  const late = entry?.outcome === "done" && outcome?.outcome === "in-doubt";
  if (entry && outcome && entry.outcome !== outcome.outcome && !late) {
    faults.push(`${key}: the journal says ${entry.outcome}, the outcome file ${outcome.outcome}`);
  }
  return faults;
}

function mayBeTriedAgain({ state, resolution }: Attempt): boolean {
  if (resolution?.as === "failed-not-applied") return true;
  // An attempt may follow one in doubt when the action is idempotent, which only the configuration knows.
  return state === "failed-not-applied" || state === "in-doubt" || state === "unreadable";
}

/** Verifies the order to pause or resume. A volume that only pods of older versions have used has none. */
async function verifyPause(files: ReadableFiles): Promise<string | undefined> {
  const names = await files.list(CONTROL_DIRECTORY).catch(() => []);
  if (!names.some((name) => `${CONTROL_DIRECTORY}/${name}` === PAUSE_FILE)) return undefined;
  try {
    await readPauseOrder(files);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function verifyContractFile(files: ReadableFiles): Promise<string | undefined> {
  try {
    const text = new TextDecoder().decode(await files.read(CONTRACT_FILE));
    const value: unknown = JSON.parse(text);
    const whole =
      typeof value === "object" && value !== null && "format" in value && "entries" in value;
    return whole ? undefined : `${CONTRACT_FILE}: has no format or no entries`;
  } catch (error) {
    // No pod has published the history of this volume yet.
    if (systemCode(error) === "ENOENT") return undefined;
    if (error instanceof SyntaxError) return `${CONTRACT_FILE}: ${error.message}`;
    throw error;
  }
}
