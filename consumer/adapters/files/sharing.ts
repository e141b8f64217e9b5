import { chmod, chown, fchmod, fchown, fstat, stat } from "node:fs";
import type { Stats } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { ConsumerError, systemCode } from "#consumer/errors.ts";
import { done, result } from "./system-call.ts";

/**
 * Lets the owner and the group of a directory read and write everything that is made in it, whoever makes it and
 * whatever the umask is: pods of another user, and commands that are run as root.
 */
export interface Sharing {
  /** Shares a file that was just made. */
  file(descriptor: number, path: string): Promise<void>;
  /**
   * Shares a directory below `root`. `firstMade` is the topmost directory that this process has just made on the way.
   */
  directory(root: string, path: string, firstMade: string | undefined): Promise<void>;
}

const FILE_MODE = 0o660;
/** The mode of directories, with the bit that passes the group on to their content. */
const DIRECTORY_MODE = 0o2770;

/** The changes that the files of one directory need; the first file finds them out. */
interface Needs {
  owner: { readonly uid: number; readonly gid: number } | undefined;
  mode: boolean;
}

export function createSharing(): Sharing {
  const ownUid = process.geteuid?.() ?? -1;
  const needs = new Map<string, Needs>();

  const ownerOf = (made: Stats, parent: Stats): Needs["owner"] => {
    // Only root may give a file away.
    const uid = ownUid === 0 ? parent.uid : made.uid;
    return made.uid === uid && made.gid === parent.gid ? undefined : { uid, gid: parent.gid };
  };

  const needsOf = async (descriptor: number, directory: string): Promise<Needs> => {
    const known = needs.get(directory);
    if (known) return known;
    const parent = await result<Stats>((end) => stat(directory, end));
    const made = await result<Stats>((end) => fstat(descriptor, end));
    const found = { owner: ownerOf(made, parent), mode: (made.mode & FILE_MODE) !== FILE_MODE };
    needs.set(directory, found);
    return found;
  };

  return {
    async file(descriptor, path) {
      const found = await needsOf(descriptor, dirname(path));
      const { owner } = found;
      if (owner) {
        const given = await mayFail((end) => fchown(descriptor, owner.uid, owner.gid, end));
        // A server that forbids it once does so always.
        if (!given) found.owner = undefined;
      }
      if (found.mode) await mayFail((end) => fchmod(descriptor, FILE_MODE, end));
    },
    async directory(root, path, firstMade) {
      const first = firstMade === undefined ? undefined : resolve(firstMade);
      let parent = await result<Stats>((end) => stat(root, end));
      let place = resolve(root);
      for (const name of path.split("/")) {
        place = `${place}${sep}${name}`;
        const made = await result<Stats>((end) => stat(place, end));
        const isNew = first !== undefined && (place === first || place.startsWith(first + sep));
        const owner = isNew ? ownerOf(made, parent) : undefined;
        const mode = (made.mode & 0o7777) | DIRECTORY_MODE;
        const isOurs = ownUid === 0 || ownUid === made.uid;
        if (owner) await mayFail((end) => chown(place, owner.uid, owner.gid, end));
        // The mode is set after the owner, because changing the owner clears the bit of the group.
        if (owner || (isOurs && mode !== (made.mode & 0o7777))) {
          await mayFail((end) => chmod(place, mode, end));
        }
        parent = owner ? await result<Stats>((end) => stat(place, end)) : made;
      }
    },
  };
}

/**
 * Throws "usage" when neither the owner nor the group of the directory could read this file: pods would raise an
 * alarm at it.
 */
export async function assertShared(descriptor: number, path: string): Promise<void> {
  const made = await result<Stats>((end) => fstat(descriptor, end));
  const parent = await result<Stats>((end) => stat(dirname(path), end));
  const ownerReads = made.uid === parent.uid && (made.mode & 0o600) === 0o600;
  const groupReads = made.gid === parent.gid && (made.mode & 0o060) === 0o060;
  if (!ownerReads && !groupReads) throw await foreignWriter(dirname(path));
}

/** Makes the error of a command that runs as a user who must not write to that directory. */
export async function foreignWriter(directory: string, cause?: unknown): Promise<ConsumerError> {
  const { uid, gid } = await result<Stats>((end) => stat(directory, end));
  const who = `uid ${process.geteuid?.()}, gid ${process.getegid?.()}`;
  return new ConsumerError(
    "usage",
    `${directory} belongs to uid ${uid}, gid ${gid}, and pods of that user could not read ` +
      `what this command writes as ${who}. Run it as that user, in a pod of the consumer, or as root: ` +
      `setpriv --reuid ${uid} --regid ${gid} --clear-groups kafka_consumer ...`,
    cause === undefined ? {} : { cause },
  );
}

/** Returns false when a server or the system forbids the change; the file then stays as it was made. */
async function mayFail(
  call: (end: (error: NodeJS.ErrnoException | null) => void) => void,
): Promise<boolean> {
  try {
    await done(call);
    return true;
  } catch (error) {
    if (["EPERM", "EINVAL", "ENOTSUP", "ENOSYS"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}
