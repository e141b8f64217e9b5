import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isProcessIdentity, lives, ownIdentity } from "#kind/process-identity.ts";
import type { ProcessIdentity } from "#kind/process-identity.ts";

const PREFIX = "kafka-consumer-e2e-";
const OWNER_FILE = "owner.json";

/** Makes a temporary directory that `findAbandoned` recognizes once this process is gone. */
export async function makeOwnedDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), PREFIX));
  await writeFile(join(directory, OWNER_FILE), JSON.stringify(await ownIdentity()));
  return directory;
}

/** Lists the temporary directories of runs whose process is no longer alive. */
export async function findAbandoned(parent = tmpdir()): Promise<string[]> {
  const names = (await readdir(parent)).filter((name) => name.startsWith(PREFIX));
  const abandoned: string[] = [];
  for (const name of names) {
    const directory = join(parent, name);
    const owner = await readOwner(directory);
    // A directory without an owner file may be one that another process is making at this moment. It is left alone.
    if (owner !== null && !(await lives(owner))) abandoned.push(directory);
  }
  return abandoned;
}

export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

async function readOwner(directory: string): Promise<ProcessIdentity | null> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, OWNER_FILE), "utf8"));
    return isProcessIdentity(value) ? value : null;
  } catch {
    return null;
  }
}
