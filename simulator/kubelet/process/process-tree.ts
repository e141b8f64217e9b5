import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/**
 * The variable in the environment of everything that a container started. It takes the place of a
 * PID namespace.
 */
export const MARKER_VARIABLE = "LOCAL_CLUSTER_CONTAINER";

const ROUNDS_MAX = 200;

/**
 * Returns the processes of this user with `MARKER_VARIABLE=marker` in their environment on Linux,
 * and none elsewhere. A process that replaced its environment and left its session is not found.
 */
export function findMarked(marker: string): number[] {
  const needle = Buffer.from(`${MARKER_VARIABLE}=${marker}\0`);
  return listProcesses().filter((pid) => readEnvironment(pid).includes(needle));
}

/**
 * Sends SIGKILL to everything that carries the marker, and to the process groups, until nothing of
 * it runs. On Linux it returns when the kernel has taken every one of them off the processors.
 */
export async function endMarked(marker: string, groups: Iterable<number>): Promise<void> {
  // The processes are looked up before the first signal: a process that is exiting shows no
  // environment any more.
  const victims = new Set(findMarked(marker));
  for (const group of groups) {
    sendSignal(-group, "SIGKILL");
  }
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const left = [...victims].filter(isRunning);
    if (left.length === 0) {
      return;
    }
    for (const pid of left) {
      sendSignal(pid, "SIGKILL");
    }
    await delay(Math.min(1 + round, 25));
    // These were forked by the others before they died.
    for (const pid of findMarked(marker)) {
      victims.add(pid);
    }
  }
}

/** Returns false when there is no such process. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") {
      return false;
    }
    throw error;
  }
}

function listProcesses(): number[] {
  if (process.platform !== "linux") {
    return [];
  }
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid);
}

function readEnvironment(pid: number): Buffer {
  try {
    return readFileSync(`/proc/${pid}/environ`);
  } catch {
    // The process is gone or belongs to another user. It is not ours either way.
    return Buffer.alloc(0);
  }
}

/** A process in state Z runs no more. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}
