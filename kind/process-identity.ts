import { readFile } from "node:fs/promises";

/** The identity of a process. A process id alone may have been given to another process by now. */
export interface ProcessIdentity {
  readonly pid: number;
  /**
   * The start of the process in clock ticks since boot (Linux); null where the host does not tell.
   */
  readonly startTicks: string | null;
}

/** Returns the identity of this process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  return { pid: process.pid, startTicks: await startTicksOf(process.pid) };
}

export function isProcessIdentity(value: unknown): value is ProcessIdentity {
  return typeof value === "object" && value !== null && "pid" in value && "startTicks" in value;
}

/** Returns true while that very process still runs. */
export async function lives({ pid, startTicks }: ProcessIdentity): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM means that the process lives and belongs to another user.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  return startTicks === null || startTicks === (await startTicksOf(pid));
}

async function startTicksOf(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in parentheses and may hold spaces, so fields are counted
    // from its end. The start time is field 22 (proc(5)).
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // A process in state Z has ended, and its parent has not noticed yet.
    return fields[0] === "Z" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
