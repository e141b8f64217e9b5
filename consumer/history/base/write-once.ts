import type { z } from "zod";

import { ConsumerError, systemCode } from "#consumer/errors.ts";
import { isNoFile, parseVersioned } from "./format.ts";
import { createAtomicFiles } from "./atomic-files.ts";
import type { Files } from "#consumer/ports.ts";

/** Small JSON files that are written once; each holds its `format`. */
export interface WriteOnceFiles {
  /** Creates the file; returns false when the name is taken. `syncDirectory` makes the name durable. */
  link(path: string, content: object): Promise<boolean>;
  /** Replaces what is there, if anything. It is meant for the few files that are no more than a hint. */
  replace(path: string, content: object): Promise<void>;
  /** Returns undefined when the file is absent. Throws as `readWriteOnce` does. */
  read<T>(schema: z.ZodType<T>, path: string): Promise<T | undefined>;
}

/** `writer` begins the temporary names. It must be unique to this run of this process on this volume. */
export function createWriteOnceFiles(files: Files, writer: string): WriteOnceFiles {
  const atomicFiles = createAtomicFiles({ files, writer });
  return {
    link: async (path, content) => (await atomicFiles.link(path, partsOf(content))) === "linked",
    replace: (path, content) => atomicFiles.replace(path, partsOf(content)),
    read: (schema, path) => readWriteOnce(files, schema, path),
  };
}

function partsOf(content: object): Uint8Array[] {
  return [Buffer.from(`${JSON.stringify(content)}\n`)];
}

/**
 * Reads a write-once file; returns undefined when it is absent. Throws "history-unreadable" for another format, and
 * "history-damaged" when the content does not match the schema.
 */
export async function readWriteOnce<T>(
  files: Pick<Files, "read">,
  schema: z.ZodType<T>,
  path: string,
): Promise<T | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (!isNoFile(error)) throw error;
    throw new ConsumerError("history-damaged", `${path}: is not a regular file`, { cause: error });
  }
  return parseVersioned(schema, bytes, path);
}
