import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { UsageError } from "#e2e/errors.ts";

/**
 * Makes the directory that an option names, and its parents. Throws UsageError with the option, the path and the error
 * code. The directories are made level by level, since the recursive mkdir of Node never returns below /proc.
 */
export async function makeDirectory(option: string, path: string): Promise<void> {
  try {
    await makeLevel(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new UsageError(`${option}: cannot make the directory ${path}: ${code}`, { cause: error });
  }
}

async function makeLevel(path: string): Promise<void> {
  if (await exists(path)) {
    // A path with a slash at its end names only a directory. A file fails with ENOTDIR.
    await stat(`${path}/`);
    return;
  }
  await makeLevel(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    // Another process has made the directory in the meantime.
    if (!(await exists(path))) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
