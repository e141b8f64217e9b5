import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "kafka-consumer-e2e-";
const OWNER_FILE = "owner.json";

/** Which process made a directory. A process id alone can belong to another process by now. */
interface Owner {
  readonly pid: number;
  /** Start of that process in clock ticks since boot (Linux); null where the host does not tell. */
  readonly startTicks: string | null;
}

/** Makes a temporary directory that `findAbandoned` recognises once this process is gone. */
export async function makeOwnedDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), PREFIX));
  const owner: Owner = { pid: process.pid, startTicks: await startTicks(process.pid) };
  await writeFile(join(directory, OWNER_FILE), JSON.stringify(owner));
  return directory;
}

/** Temporary directories of runs whose process does not live any more. */
export async function findAbandoned(parent = tmpdir()): Promise<string[]> {
  const names = (await readdir(parent)).filter((name) => name.startsWith(PREFIX));
  const abandoned: string[] = [];
  for (const name of names) {
    const directory = join(parent, name);
    const owner = await readOwner(directory);
    // Without an owner file it may be one that is being made this moment: leave it.
    if (owner !== null && !(await lives(owner))) abandoned.push(directory);
  }
  return abandoned;
}

export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

async function readOwner(directory: string): Promise<Owner | null> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, OWNER_FILE), "utf8"));
    return isOwner(value) ? value : null;
  } catch {
    return null;
  }
}

function isOwner(value: unknown): value is Owner {
  return typeof value === "object" && value !== null && "pid" in value && "startTicks" in value;
}

async function lives(owner: Owner): Promise<boolean> {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it lives and is somebody else's.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  return owner.startTicks === null || owner.startTicks === (await startTicks(owner.pid));
}

async function startTicks(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in parentheses and may hold spaces: count from its end. Field 22 (proc(5)).
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
