import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { KindCluster } from "./cluster.ts";
import { SHARED_PATH } from "./cluster.ts";
import {
  addUser,
  areOthersAtWork,
  liveUsers,
  lockPath,
  readRecord,
  sharedLockPath,
  stateDirectory,
  writeRecord,
} from "./cluster-record.ts";
import { CommandError, runCommand } from "./command.ts";
import { takeLock, tryLock } from "./lock.ts";
import type { LockOptions } from "./lock.ts";

export interface BeginOptions extends LockOptions {
  readonly nodeImage?: string | undefined;
}

/**
 * The way in which a run got its cluster: it made the cluster, made it again after a run that was
 * killed half-way, or found it.
 */
type Beginning = "made" | "remade" | "found";

/**
 * One run's use of a cluster that other runs may use too. Between `begin` and `ready` or `giveUp`,
 * no other run takes or deletes the cluster; from then until `leave`, no other run deletes it.
 * Clusters that no run made are never deleted.
 */
export class ClusterUse {
  readonly #cluster: KindCluster;
  #lock: AsyncDisposable | null = null;
  #user: AsyncDisposable | null = null;
  #isMade = false;

  constructor(cluster: KindCluster) {
    this.#cluster = cluster;
  }

  /**
   * Takes the cluster of that name when it exists, and makes it otherwise. Waits while another run
   * makes or deletes it.
   */
  async begin(options: BeginOptions): Promise<Beginning> {
    const { name, engine } = this.#cluster;
    this.#lock = await takeClusterLock(name, options);
    const record = await readRecord(name);
    const exists = await this.#cluster.exists();
    if (exists && record === null) return "found";
    if (exists && record?.isReady === true) {
      this.#user = await addUser(name);
      return "found";
    }
    // A run that was killed left half a cluster, or the record of a cluster that is gone.
    if (record !== null) await takeDown(this.#cluster);
    await writeRecord(name, { engine, isReady: false, isKept: false });
    this.#user = await addUser(name);
    this.#isMade = true;
    const sharedDirectory = join(stateDirectory(name), "shared");
    // Each volume belongs to the uid of its pod.
    await mkdir(sharedDirectory, { recursive: true, mode: 0o755 });
    try {
      await this.#cluster.create({ nodeImage: options.nodeImage, sharedDirectory });
    } catch (error) {
      // Somebody who knows nothing of our locks has just made a cluster of that name.
      if (error instanceof CommandError && error.message.includes("already exist")) {
        this.#isMade = false;
        await rm(stateDirectory(name), { recursive: true, force: true });
      }
      throw error;
    }
    return exists ? "remade" : "made";
  }

  /** Declares the cluster complete: from now on other runs may take it. */
  async ready(): Promise<void> {
    const { name, engine } = this.#cluster;
    if (this.#isMade) await writeRecord(name, { engine, isReady: true, isKept: false });
    await this.#release();
  }

  /** Takes back what `begin` did. Returns false when there was nothing to take back. */
  async undo(): Promise<boolean> {
    const wasMade = this.#isMade;
    if (wasMade) await takeDown(this.#cluster);
    this.#isMade = false;
    return wasMade;
  }

  /** Gives up after a failure: the cluster stays as it is, and this run does not use it. */
  async giveUp(): Promise<void> {
    await this.#user?.[Symbol.asyncDispose]();
    await this.#release();
  }

  /**
   * Ends the use and returns the process ids of the remaining users. The last run that leaves a
   * cluster deletes it when a run made it and none wanted to keep it.
   */
  async leave({ keep }: { readonly keep: boolean }): Promise<readonly number[]> {
    const { name } = this.#cluster;
    await using _ = await takeClusterLock(name);
    await this.#user?.[Symbol.asyncDispose]();
    const record = await readRecord(name);
    if (record === null || this.#user === null) return [];
    const users = await liveUsers(name);
    const isKept = record.isKept || keep;
    if (users.length > 0 || isKept) await writeRecord(name, { ...record, isKept });
    else await takeDown(this.#cluster);
    return users;
  }

  async #release(): Promise<void> {
    await this.#lock?.[Symbol.asyncDispose]();
    this.#lock = null;
  }
}

/**
 * Deletes a cluster that was made by a run and has no users any more. Returns true when it was
 * deleted.
 */
export async function deleteAbandoned(cluster: KindCluster): Promise<boolean> {
  let lock = await tryLock(lockPath(cluster.name));
  while (!(Symbol.asyncDispose in lock)) {
    if (lock.pid !== null) return false;
    // The locks of dead processes have just been freed.
    lock = await tryLock(lockPath(cluster.name));
  }
  await using _ = lock;
  if ((await readRecord(cluster.name)) === null) return false;
  if ((await liveUsers(cluster.name)).length > 0) return false;
  await takeDown(cluster);
  return true;
}

/**
 * Deletes the cluster and everything that it left on this host. The caller holds the cluster's
 * lock.
 */
export async function takeDown(cluster: KindCluster): Promise<void> {
  const directory = stateDirectory(cluster.name);
  const [node] = await cluster.nodes();
  if (node !== undefined) {
    // The files belong to the uids of pods: only a node may delete them. The error of a node that
    // does not answer shows below.
    const argv = ["exec", node, "find", SHARED_PATH, "-mindepth", "1", "-delete"];
    await runCommand(cluster.engine, argv).catch(() => {});
  }
  // A kind command that was killed left this file, and the next one would not wait for it.
  await rm(join(directory, "kubeconfig.lock"), { force: true });
  await cluster.delete();
  await removeNetwork(cluster);
  await rm(directory, { recursive: true, force: true });
}

/**
 * Removes kind's network, which kind leaves for the next cluster, when there is no cluster left.
 */
async function removeNetwork(cluster: KindCluster): Promise<void> {
  await using _ = await takeLock(sharedLockPath());
  if ((await cluster.all()).length > 0 || (await areOthersAtWork(cluster.name))) return;
  await runCommand(cluster.engine, ["network", "rm", "kind"]).catch(() => {});
}

/**
 * Takes a cluster's lock while holding the shared lock, so that nobody begins a cluster between a
 * look at the locks and the decision that follows from it.
 */
async function takeClusterLock(name: string, options: LockOptions = {}): Promise<AsyncDisposable> {
  for (let waited = false; ; waited = true) {
    if (waited) {
      // This only waits: the lock is taken again while the shared one is held.
      await (await takeLock(lockPath(name), options))[Symbol.asyncDispose]();
    }
    await using _ = await takeLock(sharedLockPath(), { signal: options.signal });
    const lock = await tryLock(lockPath(name));
    if (Symbol.asyncDispose in lock) return lock;
  }
}
