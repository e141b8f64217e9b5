import type { z } from "zod";

import { ConsumerError, systemCode } from "./errors.ts";
import type { Files } from "./ports.ts";

/** Small JSON files of the volume that are written once, beside the claims; each holds its `format`. */
export interface WriteOnceFiles {
  /** False when the name is taken. The content is durable before the name is there; `syncDirectory` makes that durable. */
  link(path: string, content: object): Promise<boolean>;
  /** undefined when absent. Throws "history-unreadable" for anything else than what the schema says. */
  read<T>(schema: z.ZodType<T>, path: string): Promise<T | undefined>;
}

/** `writer` is unique to this run of this process, on this volume: it begins the names of temporary files. */
export function createWriteOnceFiles(files: Files, writer: string): WriteOnceFiles {
  let written = 0;
  return {
    async link(path, content) {
      written += 1;
      const temporary = `temporary/${writer}.${written}`;
      const file = await files.createExclusive(temporary);
      try {
        await file.append(new TextEncoder().encode(`${JSON.stringify(content)}\n`));
        await file.dataSync();
      } finally {
        await file.close();
      }
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
    read: (schema, path) => readWriteOnce(files, schema, path),
  };
}

/** For who only reads. */
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
    throw error;
  }
  try {
    return schema.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new ConsumerError("history-unreadable", `${path}: not a file that this version reads`, {
      cause,
    });
  }
}
