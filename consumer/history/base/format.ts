import { z } from "zod";
import { ConsumerError, systemCode } from "#consumer/errors.ts";

/**
 * Which formats a version of this program writes and reads. A format changes in two releases: the first one
 * reads it and still writes the one before, the second writes it. So the pods of a rollout, and those of a
 * rollback, read each other.
 */
export interface FormatRange {
  readonly writes: number;
  readonly readsMin: number;
  readonly readsMax: number;
}

/** Of every file of the history. What format 0 lacks is said where each kind of file is read. */
export const FORMATS: FormatRange = { writes: 1, readsMin: 0, readsMax: 1 };

const versioned = z.looseObject({ format: z.int().min(0) });

/** What an older format lacks: by format, the fields that make it the present one. */
export type Upgrades = Readonly<Record<number, Readonly<Record<string, unknown>>>>;

interface VersionedFile<T> {
  readonly schema: z.ZodType<T>;
  readonly upgrades: Upgrades;
  readonly formats: FormatRange;
}

/**
 * One JSON file with a `format`. Throws "history-unreadable" for a format that this version does not read, and
 * "history-damaged" for what no version writes; both name the file.
 */
export function parseVersioned<T>(
  { schema, upgrades, formats }: VersionedFile<T>,
  bytes: Uint8Array,
  path: string,
): T {
  const { format, value } = parseFormat(bytes, path);
  checkFormat(format, path, formats);
  const parsed = schema.safeParse(upgraded(value, format, upgrades));
  if (!parsed.success) {
    throw new ConsumerError("history-damaged", `${path}: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    });
  }
  return parsed.data;
}

export function upgraded(value: object, format: number, upgrades: Upgrades): object {
  return { ...upgrades[format], ...value };
}

/** Throws "history-unreadable" for a format that this version does not read. */
export function checkFormat(format: number, path: string, formats: FormatRange): void {
  const { readsMin, readsMax } = formats;
  if (format >= readsMin && format <= readsMax) return;
  const rule = format > readsMax ? "a newer version of this program wrote it" : "no such format";
  const range = readsMin === readsMax ? `${readsMin}` : `${readsMin} to ${readsMax}`;
  throw new ConsumerError(
    "history-unreadable",
    `${path}: format ${format}, this version reads format ${range}: ${rule}`,
  );
}

/**
 * True for the errors of reading what is no file: a directory, a symbolic link, a socket. Such a name is taken, and
 * nobody will ever read anything there.
 */
export function isNoFile(error: unknown): boolean {
  return ["EISDIR", "ELOOP", "ENXIO"].includes(systemCode(error) ?? "");
}

function parseFormat(bytes: Uint8Array, path: string): { format: number; value: object } {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const parsed = versioned.parse(value);
    return { format: parsed.format, value: parsed };
  } catch (error) {
    throw new ConsumerError("history-damaged", `${path}: not a file of the history`, {
      cause: error,
    });
  }
}
