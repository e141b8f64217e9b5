import { z } from "zod";
import { ConsumerError, systemCode } from "#consumer/errors.ts";

/**
 * The format that this version writes and reads, in every file of the history. To change it takes two releases: the
 * first one reads the next format and still writes this one, and the second writes the next. So the pods of a rollout,
 * and those of a rollback, can read each other's files.
 */
export const FORMAT = 1;

const versioned = z.looseObject({ format: z.int().min(0) });

/**
 * Parses a JSON file that has a `format`. Throws "history-unreadable" for another format and "history-damaged" for
 * anything that no version writes. Both name the file.
 */
export function parseVersioned<T>(schema: z.ZodType<T>, bytes: Uint8Array, path: string): T {
  const value = parseFormat(bytes, path);
  checkFormat(value.format, path);
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new ConsumerError("history-damaged", `${path}: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    });
  }
  return parsed.data;
}

/** Throws "history-unreadable" for a format that this version does not read. */
export function checkFormat(format: number, path: string): void {
  if (format === FORMAT) return;
  const rule = format > FORMAT ? "a newer version of this program wrote it" : "no such format";
  throw new ConsumerError(
    "history-unreadable",
    `${path}: format ${format}, this version reads format ${FORMAT}: ${rule}`,
  );
}

/**
 * True for the errors of reading what is no file: a directory, a symbolic link, a socket. Such a name is taken, and
 * nobody will ever read anything there.
 */
export function isNoFile(error: unknown): boolean {
  return ["EISDIR", "ELOOP", "ENXIO"].includes(systemCode(error) ?? "");
}

function parseFormat(bytes: Uint8Array, path: string): z.infer<typeof versioned> {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return versioned.parse(value);
  } catch (error) {
    throw new ConsumerError("history-damaged", `${path}: not a file of the history`, {
      cause: error,
    });
  }
}
