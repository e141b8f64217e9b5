import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/**
 * Returns every file below a directory by its path from there, or nothing when there is no such
 * directory. A file that is removed while the tree is read is left out.
 */
export async function readTree(directory: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const entries = await presentOnly(readdir(directory, { recursive: true, withFileTypes: true }));
  for (const entry of entries ?? []) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await presentOnly(readFile(path));
    if (bytes !== undefined) files.set(relative(directory, path), bytes);
  }
  return files;
}

async function presentOnly<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
