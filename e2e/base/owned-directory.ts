import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isProcessIdentity, lives, ownIdentity } from "#kind/process-identity.ts";
import type { ProcessIdentity } from "#kind/process-identity.ts";

const PREFIX = "kafka-consumer-e2e-";
const OWNER_FILE = "owner.json";

/** Makes a temporary directory that `findAbandoned` recognises once this process is gone. */
export async function makeOwnedDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), PREFIX));
  await writeFile(join(directory, OWNER_FILE), JSON.stringify(await ownIdentity()));
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

async function readOwner(directory: string): Promise<ProcessIdentity | null> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, OWNER_FILE), "utf8"));
    return isProcessIdentity(value) ? value : null;
  } catch {
    return null;
  }
}
