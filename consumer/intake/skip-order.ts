import { z } from "zod";

import { ConsumerError } from "#consumer/errors.ts";
import type { Files } from "#consumer/ports.ts";
import { skipOrderPath, standstillPath } from "#consumer/history/base/layout.ts";
import type { SkippedPositions } from "#consumer/history/base/layout.ts";
import { readWriteOnce } from "#consumer/history/base/write-once.ts";

const offset = z.string().regex(/^\d{1,19}$/);

const positions = {
  format: z.literal(1),
  topic: z.string(),
  partition: z.int().min(0),
  /** The first of the positions. */
  offset,
  /** The first position after them. */
  endOffset: offset,
  /** A digest of the bytes at these positions: other bytes at the same position have another one. */
  fingerprint: z.string().regex(/^[0-9a-f]{1,64}$/),
};

const standingSchema = z.object({
  ...positions,
  cause: z.string(),
  detail: z.string(),
  pod: z.string(),
  /**
   * The time at which the pod looked last, by its wall clock in milliseconds. It looks again as long as the partition
   * stands still.
   */
  seenMs: z.number(),
});

/** The positions at which a partition stands still, as a pod found them; replaced at every look. */
export type StandingPositions = Readonly<z.infer<typeof standingSchema>>;

const orderSchema = z.object({
  ...positions,
  by: z.string(),
  reason: z.string(),
  /** The wall clock of the machine where the command ran, in milliseconds since the epoch. */
  atMs: z.number(),
});

/** An operator's order to skip positions that cannot be read. It is written once. */
export type SkipOrder = Readonly<z.infer<typeof orderSchema>>;

/** Reads where a partition stands still; undefined when no pod has reported it. */
export function readStanding(
  files: Pick<Files, "read">,
  topic: string,
  partition: number,
): Promise<StandingPositions | undefined> {
  return readWriteOnce(files, standingSchema, standstillPath(topic, partition));
}

/**
 * Reads the order to skip these bytes at this position; undefined when there is none. Throws "history-unreadable"
 * when the file holds another order.
 */
export async function readSkipOrder(
  files: Pick<Files, "read">,
  found: SkippedPositions,
): Promise<SkipOrder | undefined> {
  const path = skipOrderPath(found);
  const order = await readWriteOnce(files, orderSchema, path);
  if (order !== undefined && skipOrderPath(order) !== path) {
    throw new ConsumerError("history-unreadable", `${path}: holds the order for another position`);
  }
  return order;
}
