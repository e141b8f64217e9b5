import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isProcessIdentity, lives, ownIdentity } from "./process-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** The holder of a lock. The nonce tells apart the times at which one process holds it. */
interface Holder extends ProcessIdentity {
  readonly nonce: string;
}

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, when a living process holds the lock. */
  readonly onWait?: (pid: number) => void;
}

const INTERVAL_MS = 200;

/**
 * Waits for a lock of this host and holds it until the result is disposed of. A lock that is held
 * by a dead process counts as free.
 */
export async function takeLock(
  path: string,
  { signal, onWait }: LockOptions = {},
): Promise<AsyncDisposable> {
  for (let told = false; ;) {
    const taken = await tryLock(path);
    if (Symbol.asyncDispose in taken) return taken;
    if (!told && taken.pid !== null) onWait?.(taken.pid);
    told ||= taken.pid !== null;
    signal?.throwIfAborted();
    await sleep(INTERVAL_MS, undefined, { signal });
  }
}

/**
 * Takes the lock, or returns the id of the process that has it. null says that the lock was
 * changing hands: ask again.
 */
export async function tryLock(
  path: string,
): Promise<AsyncDisposable | { readonly pid: number | null }> {
  const own: Holder = { ...(await ownIdentity()), nonce: randomUUID() };
  if (await take(path, own)) {
    return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  }
  const holder = await readHolder(path);
  if (holder !== null && (await lives(holder))) return { pid: holder.pid };
  if (holder !== null) await breakLock(path, holder);
  return { pid: null };
}

/**
 * Only the process that has the lock for breaking a lock may remove that lock. Otherwise it could
 * remove the one that came after it.
 */
async function breakLock(path: string, dead: Holder): Promise<void> {
  const breaking = await tryLock(`${path}.${dead.nonce}`);
  if (!(Symbol.asyncDispose in breaking)) return;
  await using _ = breaking;
  if ((await readHolder(path))?.nonce === dead.nonce) await rm(path, { force: true });
}

/** link(2) makes the file appear as a whole. */
async function take(path: string, own: Holder): Promise<boolean> {
  const written = `${path}.${own.nonce}.new`;
  await writeFile(written, JSON.stringify(own));
  try {
    await link(written, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(written, { force: true });
  }
}

/** Returns null when the lock is gone. */
async function readHolder(path: string): Promise<Holder | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return isHolder(value) ? value : null;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function isHolder(value: unknown): value is Holder {
  return isProcessIdentity(value) && "nonce" in value && typeof value.nonce === "string";
}
