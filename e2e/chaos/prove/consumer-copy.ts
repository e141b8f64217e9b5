import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import type { Edit } from "./planted-faults.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

/** The consumer, what simulates it, and what they need to be loaded. */
const COPIED = ["package.json", "consumer", "fixtures", "simulator", "kind", "e2e"] as const;

export interface ConsumerCopy extends AsyncDisposable {
  readonly directory: string;
}

/**
 * Copies this repository and applies the edits. Throws PlantingError for text that is not there
 * exactly once, and the reason of the signal when it aborts.
 */
export async function copyConsumer(
  edits: readonly Edit[],
  signal: AbortSignal,
): Promise<ConsumerCopy> {
  await using making = new AsyncDisposableStack();
  const owned = making.adopt(await makeOwnedDirectory(), removeDirectory);
  const directory = join(owned, "copy");
  await mkdir(directory);
  const filter = (): boolean => {
    signal.throwIfAborted();
    return true;
  };
  for (const name of COPIED) {
    await cp(join(REPOSITORY, name), join(directory, name), { recursive: true, filter });
  }
  await symlink(join(REPOSITORY, "node_modules"), join(directory, "node_modules"));
  for (const { file, ...edit } of edits) {
    const path = join(directory, file);
    await writeFile(path, applyEdit(await readFile(path, "utf8"), { file, ...edit }));
  }
  const stack = making.move();
  return { directory, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** The consumer has changed where a fault is to be planted, so that the fault must be rewritten. */
export class PlantingError extends Error {
  override readonly name = "PlantingError";
}

export function applyEdit(content: string, { file, text, replacement }: Edit): string {
  const found = content.split(text).length - 1;
  if (found === 1) return content.replace(text, () => replacement);
  const where = found === 0 ? "is not there" : `is there ${found} times`;
  throw new PlantingError(
    `${file}: the text ${JSON.stringify(text)} ${where}; it must be there exactly once`,
  );
}
