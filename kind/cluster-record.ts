import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ENGINES } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { isProcessIdentity, lives, ownIdentity } from "./process-identity.ts";

/** What is known of a cluster that a run made; there is none of clusters that others made. */
export interface ClusterRecord {
  readonly engine: Engine;
  /** Whether it was brought up whole. */
  readonly isReady: boolean;
  /** Whether somebody wanted it to stay after the runs that use it. */
  readonly isKept: boolean;
}

const PREFIX = "kafka-consumer-kind-";
const RECORD = "cluster.json";
const USERS = "users";

/** Holds the kubeconfig, the directory that the nodes share, the record, and a file for each run that uses it. */
export function stateDirectory(name: string): string {
  return join(tmpdir(), `${PREFIX}${name}`);
}

/** Held while a cluster is made, and while who uses it is decided. */
export function lockPath(name: string): string {
  return `${stateDirectory(name)}.lock`;
}

/** Held for moments: while the lock of a cluster is taken, and while what all of them share is removed. */
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

/** Notes that this process uses the cluster, until it is disposed of. */
export async function addUser(name: string): Promise<AsyncDisposable> {
  const directory = join(stateDirectory(name), USERS);
  await mkdir(directory, { recursive: true });
  const path = join(directory, randomUUID());
  await writeFile(`${path}.new`, JSON.stringify(await ownIdentity()));
  await rename(`${path}.new`, path);
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** Process ids of the runs that use it and live. */
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

/** Names of the clusters of which this host has a record. */
export async function recordedClusters(): Promise<string[]> {
  const names = (await readdir(tmpdir()))
    .filter((name) => name.startsWith(PREFIX) && !name.includes(".lock"))
    .map((name) => name.slice(PREFIX.length));
  const recorded: string[] = [];
  for (const name of names) if ((await readRecord(name)) !== null) recorded.push(name);
  return recorded;
}

/** Whether a cluster is being made or deleted at this moment, this one left aside. */
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
