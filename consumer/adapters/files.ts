import { constants } from "node:fs";
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readFile,
  readdir,
  realpath,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { dirname, join, posix, resolve } from "node:path";
import { systemCode } from "../errors.ts";
import type { Files, WritableFile } from "../ports.ts";

/**
 * The history volume at `root`. `mountinfoPath`: what lists the mounts of this process, in the form of
 * proc_pid_mountinfo(5). Default /proc/self/mountinfo; it need not exist.
 */
export function createFiles(root: string, mountinfoPath = "/proc/self/mountinfo"): Files {
  const locate = (path: string): string => join(root, checkedPath(path));
  return {
    makeDirectory: (path) => makeDirectory(root, checkedPath(path)),
    createExclusive: async (path) => writableFile(await open(locate(path), "wx", 0o640)),
    read: (path) => readFile(locate(path)),
    readFrom: (path, offset, bytesMax) => readFrom(locate(path), offset, bytesMax),
    link: (existing, added) => link(locate(existing), locate(added)),
    rename: (from, to) => rename(locate(from), locate(to)),
    unlink: (path) => unlink(locate(path)),
    list: (path) => readdir(locate(path)),
    syncDirectory: (path) => syncDirectory(locate(path)),
    isMount: () => isMount(root, mountinfoPath),
  };
}

function checkedPath(path: string): string {
  const normal = posix.normalize(path);
  if (posix.isAbsolute(normal) || normal === ".." || normal.startsWith("../")) {
    throw new RangeError(`Path ${JSON.stringify(path)} leaves the volume`);
  }
  return normal;
}

/**
 * Every directory on the way is synced, whoever made it: another pod may have made one a moment ago, and
 * not have synced it.
 */
async function makeDirectory(root: string, path: string): Promise<void> {
  await mkdir(join(root, path), { recursive: true, mode: 0o750 });
  for (let parent = posix.dirname(path); ; parent = posix.dirname(parent)) {
    await syncDirectory(join(root, parent));
    if (parent === ".") return;
  }
}

function writableFile(handle: FileHandle): WritableFile {
  let syncFailed = false;
  return {
    async append(bytes) {
      let written = 0;
      while (written < bytes.length) {
        const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, null);
        written += bytesWritten;
      }
    },
    async dataSync() {
      // The kernel reports a lost page once: a second call would succeed without it.
      if (syncFailed)
        throw Object.assign(new Error("EIO: an earlier fdatasync failed"), {
          code: "EIO",
          syscall: "fdatasync",
        });
      try {
        await handle.datasync();
      } catch (error) {
        syncFailed = true;
        throw error;
      }
    },
    close: () => handle.close(),
  };
}

async function readFrom(
  path: string,
  offset: number,
  bytesMax = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    const { size } = await handle.stat();
    const bytes = new Uint8Array(Math.min(Math.max(size - offset, 0), bytesMax));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(
        bytes,
        filled,
        bytes.length - filled,
        offset + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await handle.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * As mountpoint(1): another device than the parent, or the root of everything; or listed as a mount, since a
 * bind mount may have the device of its parent. An absent directory is none.
 */
async function isMount(root: string, mountinfoPath: string): Promise<boolean> {
  try {
    const path = await realpath(root);
    const [own, parent] = await Promise.all([stat(path), stat(dirname(path))]);
    if (own.dev !== parent.dev || own.ino === parent.ino) return true;
    return (await mountPoints(mountinfoPath)).includes(resolve(root));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Empty where the system has no such file. */
async function mountPoints(mountinfoPath: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(mountinfoPath, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
  // Fifth column; blanks and backslashes stand there as octal numbers.
  return text
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((path) =>
      path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCodePoint(Number.parseInt(octal, 8)),
      ),
    );
}
