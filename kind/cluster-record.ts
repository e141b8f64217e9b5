import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ENGINES } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { isProcessIdentity, lives, ownIdentity } from "./process-identity.ts";

/** The record of a cluster that was made by a run. Clusters that were made by others have none. */
export interface ClusterRecord {
  readonly engine: Engine;
  /** True when the cluster was brought up completely. */
  readonly isReady: boolean;
  /** True when a run asked to keep the cluster after the runs that use it. */
  readonly isKept: boolean;
}

const PREFIX = "kafka-consumer-kind-";
const RECORD = "cluster.json";
const USERS = "users";

/**
 * Returns the directory that holds the kubeconfig, the directory shared by the nodes, the record,
 * and one file for each run that uses the cluster.
 */
export function stateDirectory(name: string): string {
  return join(tmpdir(), `${PREFIX}${name}`);
}

/**
 * Returns the path of the lock that is held while a cluster is made and while its users are decided
 * on.
 */
export function lockPath(name: string): string {
  return `${stateDirectory(name)}.lock`;
}

/**
 * Returns the path of the lock that is held for moments: while the lock of a cluster is taken, and
 * while something that all clusters share is removed.
 */
export function sharedLockPath(): string {
  return join(tmpdir(), "kafka-consumer-kind.lock");
}

export async function readRecord(name: string): Promise<ClusterRecord | null> {
  try {
    const value: unknown = JSON.parse(await readFile(join(stateDirectory(name), RECORD), "utf8"));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

export async function writeRecord(name: string, record: ClusterRecord): Promise<void> {
  const path = join(stateDirectory(name), RECORD);
  await mkdir(stateDirectory(name), { recursive: true, mode: 0o755 });
  await writeFile(`${path}.new`, JSON.stringify(record));
  await rename(`${path}.new`, path);
}

/** Records this process as a user of the cluster until the result is disposed of. */
export async function addUser(name: string): Promise<AsyncDisposable> {
  const directory = join(stateDirectory(name), USERS);
  await mkdir(directory, { recursive: true });
  const path = join(directory, randomUUID());
  await writeFile(`${path}.new`, JSON.stringify(await ownIdentity()));
  await rename(`${path}.new`, path);
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** Returns the process ids of the living runs that use the cluster. */
export async function liveUsers(name: string): Promise<number[]> {
  const directory = join(stateDirectory(name), USERS);
  const pids: number[] = [];
  for (const file of await readdir(directory).catch(() => [])) {
    const text = await readFile(join(directory, file), "utf8").catch(() => "null");
    const identity: unknown = file.endsWith(".new") ? null : JSON.parse(text);
    if (isProcessIdentity(identity) && (await lives(identity))) pids.push(identity.pid);
  }
  return pids;
}

/** Returns the names of the clusters that are recorded on this host. */
export async function recordedClusters(): Promise<string[]> {
  const names = (await readdir(tmpdir()))
    .filter((name) => name.startsWith(PREFIX) && !name.includes(".lock"))
    .map((name) => name.slice(PREFIX.length));
  const recorded: string[] = [];
  for (const name of names) if ((await readRecord(name)) !== null) recorded.push(name);
  return recorded;
}

/** Returns true while another cluster than this one is being made or deleted. */
export async function areOthersAtWork(name: string): Promise<boolean> {
  const own = lockPath(name);
  for (const file of await readdir(tmpdir())) {
    const path = join(tmpdir(), file);
    if (!file.startsWith(PREFIX) || !file.endsWith(".lock") || path === own) continue;
    const holder: unknown = JSON.parse(await readFile(path, "utf8").catch(() => "null"));
    if (isProcessIdentity(holder) && (await lives(holder))) return true;
  }
  return false;
}

function isRecord(value: unknown): value is ClusterRecord {
  return (
    typeof value === "object" &&
    value !== null &&
    "engine" in value &&
    ENGINES.some((engine) => engine === value.engine) &&
    "isReady" in value &&
    "isKept" in value
  );
}
