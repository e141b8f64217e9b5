import { z } from "zod";

import { ConsumerError } from "#consumer/errors.ts";
import type { Files } from "#consumer/ports.ts";
import {
  skipOrderPath,
  type SkippedPositions,
  standstillPath,
} from "#consumer/history/base/layout.ts";
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
  /** Of what lies there: other bytes at the same position have another. */
  fingerprint: z.string().regex(/^[0-9a-f]{1,64}$/),
};

const standingSchema = z.object({
  ...positions,
  cause: z.string(),
  detail: z.string(),
  pod: z.string(),
  /** When the pod looked last, by its wall clock; it looks again and again as long as the partition stands still. */
  seenMs: z.number(),
});

/** What a pod has found at the position of a partition; replaced at every look. */
export type StandingPositions = Readonly<z.infer<typeof standingSchema>>;

const orderSchema = z.object({
  ...positions,
  by: z.string(),
  reason: z.string(),
  /** Wall clock of where the command ran, milliseconds since the epoch. */
  atMs: z.number(),
});

/** An operator's order to pass positions that cannot be read. Written once. */
export type SkipOrder = Readonly<z.infer<typeof orderSchema>>;

/** undefined when no pod has told of a standstill of the partition. */
export function readStanding(
  files: Pick<Files, "read">,
  topic: string,
  partition: number,
): Promise<StandingPositions | undefined> {
  return readWriteOnce(files, standingSchema, standstillPath(topic, partition));
}

/** undefined when nobody has ordered to pass these bytes at this position. */
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
