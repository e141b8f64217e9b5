import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { openPositions } from "./positions.ts";
import { openTailedFile } from "./tailed-file.ts";
import type { TailedFile } from "./tailed-file.ts";

export interface LogFiles extends AsyncDisposable {
  /**
   * Returns all followed files, older ones first, with those that have appeared since the last
   * call.
   */
  scan(): Promise<readonly TailedFile[]>;
  /** Stops following the file. */
  forget(file: TailedFile): Promise<void>;
  /**
   * Saves the acknowledged positions for the next run. Does nothing without a state directory or a
   * change.
   */
  savePositions(): Promise<void>;
}

/**
 * Follows the log files of some directories by their inode: a rotated file is read to its end under
 * its new name, and never again from its start. An open file keeps its inode, so that none is
 * mistaken for a later one.
 */
export function followLogFiles(directories: readonly string[], stateDirectory?: string): LogFiles {
  const followed = new Map<string, TailedFile>();
  const positions = stateDirectory === undefined ? null : openPositions(stateDirectory);
  return {
    async scan() {
      const found = (await Promise.all(directories.map((path) => listLogFiles(path)))).flat();
      for (const { path, identity } of found.toSorted((a, b) => a.modifiedMs - b.modifiedMs)) {
        if (followed.has(identity)) continue;
        const start = await positions?.find(identity);
        const file = await unlessGone(openTailedFile(path, start));
        if (file !== null) followed.set(identity, file);
      }
      return [...followed.values()];
    },
    async forget(file) {
      for (const [identity, one] of followed) if (one === file) followed.delete(identity);
      await file[Symbol.asyncDispose]();
    },
    savePositions: async () => {
      const places = [...followed].map(([identity, file]) => [identity, file.place()] as const);
      await positions?.save(Object.fromEntries(places));
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...followed.values()].map((file) => file[Symbol.asyncDispose]()));
      followed.clear();
    },
  };
}

/**
 * Matches `app.log` and its rotated names (`app.log.1`, `app.1.log`, `app.log-20261123`), but not
 * compressed ones.
 */
const LOG_NAME = /\.log(?:$|[.-])/;
const OTHER_NAME = /\.(?:gz|zst|tmp|txt)$/;

async function listLogFiles(directory: string) {
  const names = (await unlessGone(readdir(directory))) ?? [];
  const logs = names.filter((name) => LOG_NAME.test(name) && !OTHER_NAME.test(name));
  const files = await Promise.all(
    logs.map(async (name) => {
      const path = join(directory, name);
      const stats = await unlessGone(stat(path));
      if (stats === null || !stats.isFile()) return null;
      return { path, identity: `${stats.dev}:${stats.ino}`, modifiedMs: stats.mtimeMs };
    }),
  );
  return files.filter((file) => file !== null);
}

/** Returns null when the file or directory is gone: they come and go while the forwarder runs. */
async function unlessGone<T>(operation: Promise<T>): Promise<T | null> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
