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

/** How a run came by its cluster: made it, made it after half a one of a run that was killed, or found it. */
type Beginning = "made" | "remade" | "found";

/**
 * What one run has of a cluster that others may use too. From `begin` to `ready` or `giveUp` nobody else takes or deletes it; from then
 * until `leave` nobody deletes it. Clusters that no run made are never deleted.
 */
export class ClusterUse {
  readonly #cluster: KindCluster;
  #lock: AsyncDisposable | null = null;
  #user: AsyncDisposable | null = null;
  #isMade = false;

  constructor(cluster: KindCluster) {
    this.#cluster = cluster;
  }

  /** Takes the cluster of that name when it is there, and makes it otherwise; waits while another run makes or deletes it. */
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
    // What a run that was killed left: half a cluster, or the record of one that is gone.
    if (record !== null) await takeDown(this.#cluster);
    await writeRecord(name, { engine, isReady: false, isKept: false });
    this.#user = await addUser(name);
    this.#isMade = true;
    const sharedDirectory = join(stateDirectory(name), "shared");
    // Its volumes belong to whatever uid a pod has.
    await mkdir(sharedDirectory, { recursive: true, mode: 0o755 });
    try {
      await this.#cluster.create({ nodeImage: options.nodeImage, sharedDirectory });
    } catch (error) {
      // Somebody else made one of that name in this moment, who knows nothing of our locks.
      if (error instanceof CommandError && error.message.includes("already exist")) {
        this.#isMade = false;
        await rm(stateDirectory(name), { recursive: true, force: true });
      }
      throw error;
    }
    return exists ? "remade" : "made";
  }

  /** Everything is there that runs need of it: from now on others may take it. */
  async ready(): Promise<void> {
    const { name, engine } = this.#cluster;
    if (this.#isMade) await writeRecord(name, { engine, isReady: true, isKept: false });
    await this.#release();
  }

  /** Takes back what `begin` did. False when that was nothing. */
  async undo(): Promise<boolean> {
    const wasMade = this.#isMade;
    if (wasMade) await takeDown(this.#cluster);
    this.#isMade = false;
    return wasMade;
  }

  /** After a failure: what is there stays as it is, and this run does not use it. */
  async giveUp(): Promise<void> {
    await this.#user?.[Symbol.asyncDispose]();
    await this.#release();
  }

  /** Ends the use. The last run that leaves a cluster deletes it, when a run made it and none wanted it kept. Gives who still uses it. */
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

/** Deletes a cluster that a run made and nobody uses any more. Gives whether it did. */
export async function deleteAbandoned(cluster: KindCluster): Promise<boolean> {
  let lock = await tryLock(lockPath(cluster.name));
  while (!(Symbol.asyncDispose in lock)) {
    if (lock.pid !== null) return false;
    // What a dead process held was just set free.
    lock = await tryLock(lockPath(cluster.name));
  }
  await using _ = lock;
  if ((await readRecord(cluster.name)) === null) return false;
  if ((await liveUsers(cluster.name)).length > 0) return false;
  await takeDown(cluster);
  return true;
}

/** Deletes the cluster and everything that it left on this host. For whoever holds its lock. */
export async function takeDown(cluster: KindCluster): Promise<void> {
  const directory = stateDirectory(cluster.name);
  const [node] = await cluster.nodes();
  if (node !== undefined) {
    // Its files belong to the uids of pods: only a node may delete them. One that does not answer any more has its say below.
    const argv = ["exec", node, "find", SHARED_PATH, "-mindepth", "1", "-delete"];
    await runCommand(cluster.engine, argv).catch(() => {});
  }
  // Of a kind command that was killed: the next one would not wait for it.
  await rm(join(directory, "kubeconfig.lock"), { force: true });
  await cluster.delete();
  await removeNetwork(cluster);
  await rm(directory, { recursive: true, force: true });
}

/** kind leaves its network to the next cluster, of which there may be none. */
async function removeNetwork(cluster: KindCluster): Promise<void> {
  await using _ = await takeLock(sharedLockPath());
  if ((await cluster.all()).length > 0 || (await areOthersAtWork(cluster.name))) return;
  await runCommand(cluster.engine, ["network", "rm", "kind"]).catch(() => {});
}

/** Below the shared lock, so that nobody begins a cluster between a look at the locks and what follows from it. */
async function takeClusterLock(name: string, options: LockOptions = {}): Promise<AsyncDisposable> {
  for (let waited = false; ; waited = true) {
    if (waited) {
      // Only to wait: it is taken again below the shared one.
      await (await takeLock(lockPath(name), options))[Symbol.asyncDispose]();
    }
    await using _ = await takeLock(sharedLockPath(), { signal: options.signal });
    const lock = await tryLock(lockPath(name));
    if (Symbol.asyncDispose in lock) return lock;
  }
}
