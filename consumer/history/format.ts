import { z } from "zod";
import { ConsumerError } from "../errors.ts";

/** Version of every file of the history. A reader refuses newer ones: it cannot know what they mean. */
export const FORMAT = 1;

const versioned = z.looseObject({ format: z.int().min(1) });

/** One JSON file with a `format`. Throws "history-unreadable", naming the file. */
export function parseVersioned<T>(schema: z.ZodType<T>, bytes: Uint8Array, path: string): T {
  const { format, value } = parseFormat(bytes, path);
  checkFormat(format, path);
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new ConsumerError("history-unreadable", `${path}: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    });
  }
  return parsed.data;
}

export function checkFormat(format: number, path: string): void {
  if (format === FORMAT) return;
  const rule = format > FORMAT ? "a newer version of this program wrote it" : "no such format";
  throw new ConsumerError(
    "history-unreadable",
    `${path}: format ${format}, this version reads format ${FORMAT}: ${rule}`,
  );
}

function parseFormat(bytes: Uint8Array, path: string): { format: number; value: unknown } {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return { format: versioned.parse(value).format, value };
  } catch (error) {
    throw new ConsumerError("history-unreadable", `${path}: not a file of the history`, {
      cause: error,
    });
  }
}
