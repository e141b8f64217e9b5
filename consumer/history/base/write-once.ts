import type { z } from "zod";

import { ConsumerError, systemCode } from "#consumer/errors.ts";
import { type FormatRange, isNoFile, parseVersioned } from "./format.ts";
import { temporaryPath } from "./layout.ts";
import type { Files } from "#consumer/ports.ts";

/** Small JSON files of the volume that are written once, beside the claims; each holds its `format`. */
export interface WriteOnceFiles {
  /** False when the name is taken. The content is durable before the name is there; `syncDirectory` makes that durable. */
  link(path: string, content: object): Promise<boolean>;
  /** Puts it in the place of what is there, if anything: for the few files that are no more than a hint. */
  replace(path: string, content: object): Promise<void>;
  /** undefined when absent. Throws as `readWriteOnce` does. */
  read<T>(schema: z.ZodType<T>, path: string): Promise<T | undefined>;
}

const WRITE_ONCE_FORMATS: FormatRange = { writes: 1, readsMin: 1, readsMax: 1 };

/** `writer` is unique to this run of this process, on this volume: it begins the names of temporary files. */
export function createWriteOnceFiles(files: Files, writer: string): WriteOnceFiles {
  let written = 0;
  const write = async (content: object): Promise<string> => {
    written += 1;
    const temporary = temporaryPath(`${writer}.${written}`);
    const file = await files.createExclusive(temporary);
    try {
      await file.append(new TextEncoder().encode(`${JSON.stringify(content)}\n`));
      await file.dataSync();
    } finally {
      await file.close();
    }
    return temporary;
  };
  return {
    async link(path, content) {
      const temporary = await write(content);
      try {
        await files.link(temporary, path);
        return true;
      } catch (error) {
        if (systemCode(error) === "EEXIST") return false;
        throw error;
      } finally {
        await files.unlink(temporary).catch(() => undefined);
      }
    },
    async replace(path, content) {
      await files.rename(await write(content), path);
    },
    read: (schema, path) => readWriteOnce(files, schema, path),
  };
}

/**
 * For who only reads; undefined when absent. Throws "history-unreadable" at a newer format, and "history-damaged" for
 * anything else than what the schema says.
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
    throw new ConsumerError("history-damaged", `${path}: no file`, { cause: error });
  }
  return parseVersioned({ schema, upgrades: {}, formats: WRITE_ONCE_FORMATS }, bytes, path);
}
