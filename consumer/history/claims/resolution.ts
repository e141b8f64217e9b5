import { z } from "zod";

import { ConsumerError } from "#consumer/errors.ts";
import type { Files } from "#consumer/ports.ts";
import { attemptPath } from "#consumer/history/base/layout.ts";
import { readWriteOnce } from "#consumer/history/base/write-once.ts";

const resolutionSchema = z.object({
  format: z.literal(1),
  key: z.string(),
  attempt: z.int().min(1),
  /** done: it had its effect, nothing is left to do. failed-not-applied: it had none, the next attempt may act. */
  as: z.enum(["done", "failed-not-applied"]),
  /** Who says so. */
  by: z.string(),
  reason: z.string(),
  /** Wall clock of where the command ran, milliseconds since the epoch. */
  atMs: z.number(),
});

/**
 * What an operator found out about an attempt that ended without anybody knowing. A file of its own beside the
 * outcome, written once: the outcome stays what it is.
 */
export type Resolution = Readonly<z.infer<typeof resolutionSchema>>;

/** undefined when nobody resolved the attempt. Throws the volume's errors, "history-unreadable" or "history-damaged". */
export async function readResolution(
  files: Pick<Files, "read">,
  key: string,
  attempt: number,
): Promise<Resolution | undefined> {
  const path = attemptPath(key, attempt, "resolution");
  const resolution = await readWriteOnce(files, resolutionSchema, path);
  if (resolution && (resolution.key !== key || resolution.attempt !== attempt)) {
    throw new ConsumerError("history-damaged", `${path}: holds another attempt's resolution`);
  }
  return resolution;
}
