import { z } from "zod";

import { ConsumerError } from "#consumer/errors.ts";
import type { Files } from "#consumer/ports.ts";
import { attemptPath } from "#consumer/history/base/layout.ts";
import { readWriteOnce } from "#consumer/history/base/write-once.ts";

const resolutionSchema = z.object({
  format: z.literal(1),
  key: z.string(),
  attempt: z.int().min(1),
  /** "done" when the action had its effect. "failed-not-applied" when it had none, so that the next attempt may act. */
  as: z.enum(["done", "failed-not-applied"]),
  /** The name of the operator. */
  by: z.string(),
  reason: z.string(),
  /** The wall clock of the host where the command ran, in milliseconds since the epoch. */
  atMs: z.number(),
});

/**
 * The statement of an operator about an attempt whose effect was unknown. It is a write-once file beside the outcome,
 * which stays as it is.
 */
export type Resolution = Readonly<z.infer<typeof resolutionSchema>>;

/**
 * Returns undefined when nobody resolved the attempt. Throws the volume's errors, "history-unreadable" or
 * "history-damaged".
 */
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
