import {
  close,
  constants,
  fdatasync,
  fstat,
  fsync,
  link,
  mkdir,
  open,
  opendir,
  read,
  readFile,
  readdir,
  realpath,
  rename,
  stat,
  rmdir,
  unlink,
  write,
} from "node:fs";
import type { Dir, Stats } from "node:fs";
import { dirname, join, posix, resolve } from "node:path";
import { systemCode } from "#consumer/errors.ts";
import type { Files, WritableFile } from "#consumer/ports.ts";
import { assertShared, createSharing, foreignWriter } from "./sharing.ts";
import type { Sharing } from "./sharing.ts";
import { done, result } from "./system-call.ts";

export interface FilesOptions {
  /**
   * The file that lists the mounts of this process, in the form of proc_pid_mountinfo(5). Defaults to
   * /proc/self/mountinfo. It need not exist.
   */
  readonly mountinfoPath?: string | undefined;
  /**
   * When true, refuses with "usage" to write files that the other users of the directory could not read. Defaults to
   * false.
   */
  readonly mustShare?: boolean;
}

/**
 * Creates the files of the history volume at `root`. They use descriptors, since a FileHandle would double the cost
 * of each operation for the event loop. New files belong to the owner and the group of the directory, whoever makes
 * them.
 */
export function createFiles(root: string, options: FilesOptions = {}): Files {
  const { mountinfoPath = "/proc/self/mountinfo", mustShare = false } = options;
  const locate = (path: string): string => join(root, checkedPath(path));
  const sharing = createSharing();
  return {
    makeDirectory: (path) => makeDirectory(root, checkedPath(path), sharing),
    createExclusive: (path) =>
      mustShare ? createShared(locate(path), sharing) : createExclusive(locate(path), sharing),
    read: (path) => readFrom(locate(path), 0),
    readFrom: (path, offset, bytesMax) => readFrom(locate(path), offset, bytesMax),
    link: (existing, added) => addName(locate(existing), locate(added)),
    rename: (from, to) => replace(locate(from), locate(to)),
    unlink: (path) => remove(locate(path)),
    removeDirectory: (path) => done((end) => rmdir(locate(path), end)),
    modifiedMs: (path) => modifiedMs(locate(path)),
    list: (path) => list(locate(path)),
    listEach: (path) => listEach(locate(path)),
    syncDirectory: (path) => syncDirectory(locate(path)),
    isMount: () => isMount(root, mountinfoPath),
  };
}

const NAMES_AT_ONCE = 1024;

function checkedPath(path: string): string {
  const normal = posix.normalize(path);
  if (posix.isAbsolute(normal) || normal === ".." || normal.startsWith("../")) {
    throw new RangeError(`Path ${JSON.stringify(path)} leaves the volume`);
  }
  return normal;
}

/**
 * Syncs every directory on the way, whoever made it: another pod may have made one a moment ago without syncing it.
 */
async function makeDirectory(root: string, path: string, sharing: Sharing): Promise<void> {
  const firstMade = await result<string | undefined>((end) =>
    mkdir(join(root, path), { recursive: true, mode: 0o770 }, end),
  );
  await sharing.directory(root, path, firstMade);
  for (let parent = posix.dirname(path); ; parent = posix.dirname(parent)) {
    await syncDirectory(join(root, parent));
    if (parent === ".") return;
  }
}

/** Creates a file that the other users of the directory can read. Otherwise it fails before a byte is written. */
async function createShared(path: string, sharing: Sharing): Promise<WritableFile> {
  let file: WritableFile;
  try {
    file = await createExclusive(path, sharing, assertShared);
  } catch (error) {
    const code = systemCode(error);
    throw code === "EACCES" || code === "EPERM" ? await foreignWriter(dirname(path), error) : error;
  }
  return file;
}

async function createExclusive(
  path: string,
  sharing: Sharing,
  assert?: (descriptor: number, path: string) => Promise<void>,
): Promise<WritableFile> {
  const descriptor = await result<number>((end) => open(path, "wx", 0o660, end));
  // The change runs in parallel to the writes; it is awaited before the content counts as durable.
  const shared = sharing.file(descriptor, path);
  shared.catch(() => undefined);
  if (assert) {
    try {
      await shared;
      await assert(descriptor, path);
    } catch (error) {
      await done((end) => close(descriptor, end));
      await remove(path);
      throw error;
    }
  }
  let syncFailed = false;
  let closed = false;
  /**
   * Returns the descriptor. Throws EBADF once the file is closed, because the number may then belong to another file.
   */
  const openFor = (syscall: string): number => {
    if (closed) throw failure("EBADF", syscall, "the file is closed");
    return descriptor;
  };
  return {
    async append(bytes) {
      let written = 0;
      while (written < bytes.length) {
        const length = bytes.length - written;
        written += await result<number>((end) =>
          write(openFor("write"), bytes, written, length, null, end),
        );
      }
    },
    async dataSync() {
      // The kernel reports a lost page once: a second call would succeed without it.
      if (syncFailed) throw failure("EIO", "fdatasync", "an earlier one failed");
      try {
        await shared;
        await done((end) => fdatasync(openFor("fdatasync"), end));
      } catch (error) {
        syncFailed = true;
        throw error;
      }
    },
    async close() {
      if (closed) return;
      closed = true;
      await shared.catch(() => undefined);
      await done((end) => close(descriptor, end));
    },
  };
}

/**
 * The flags of reading: a symbolic link could lead out of the volume, and the open(2) of a pipe would wait for a
 * writer.
 */
const READING = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function readFrom(
  path: string,
  offset: number,
  bytesMax = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  const descriptor = await result<number>((end) => open(path, READING, end));
  try {
    const stats = await result<Stats>((end) => fstat(descriptor, end));
    if (!stats.isFile()) throw failure(stats.isDirectory() ? "EISDIR" : "ENXIO", "read", path);
    const { size } = stats;
    const bytes = Buffer.allocUnsafe(Math.min(Math.max(size - offset, 0), bytesMax));
    let filled = 0;
    while (filled < bytes.length) {
      const length = bytes.length - filled;
      const position = offset + filled;
      const bytesRead = await result<number>((end) =>
        read(descriptor, bytes, filled, length, position, end),
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await done((end) => close(descriptor, end));
  }
}

function addName(existing: string, added: string): Promise<void> {
  return done((end) => link(existing, added, end));
}

function replace(from: string, to: string): Promise<void> {
  return done((end) => rename(from, to, end));
}

function remove(path: string): Promise<void> {
  return done((end) => unlink(path, end));
}

/** Opens the file first: an open asks the server for the attributes, while stat(2) alone may answer from a cache. */
async function modifiedMs(path: string): Promise<number> {
  const descriptor = await result<number>((end) => open(path, constants.O_RDONLY, end));
  try {
    return (await result<Stats>((end) => fstat(descriptor, end))).mtimeMs;
  } finally {
    await done((end) => close(descriptor, end));
  }
}

function list(path: string): Promise<string[]> {
  return result((end) => readdir(path, end));
}

async function* listEach(path: string): AsyncGenerator<string> {
  const directory = await result<Dir>((end) => opendir(path, { bufferSize: NAMES_AT_ONCE }, end));
  try {
    for (;;) {
      const entry = await directory.read();
      if (entry === null) return;
      yield entry.name;
    }
  } finally {
    await directory.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  const descriptor = await result<number>((end) => open(path, flags, end));
  try {
    await done((end) => fsync(descriptor, end));
  } finally {
    await done((end) => close(descriptor, end));
  }
}

function failure(code: string, syscall: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}, ${syscall}`), { code, syscall });
}

/**
 * Decides as mountpoint(1) does: the root has another device than its parent, or is the root of everything, or is
 * listed as a mount, since a bind mount may have the device of its parent. An absent directory is not a mount.
 */
async function isMount(root: string, mountinfoPath: string): Promise<boolean> {
  try {
    const path = await result<string>((end) => realpath(root, end));
    const own = await result<Stats>((end) => stat(path, end));
    const parent = await result<Stats>((end) => stat(dirname(path), end));
    if (own.dev !== parent.dev || own.ino === parent.ino) return true;
    return (await mountPoints(mountinfoPath)).includes(resolve(root));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Reads the paths of all mounts; empty when the system has no such file. */
async function mountPoints(mountinfoPath: string): Promise<string[]> {
  let text: string;
  try {
    text = await result<string>((end) => readFile(mountinfoPath, "utf8", end));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
  // The path is the fifth column, in which blanks and backslashes are octal numbers.
  return text
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((path) =>
      path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCodePoint(Number.parseInt(octal, 8)),
      ),
    );
}
