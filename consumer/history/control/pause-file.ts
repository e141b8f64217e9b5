import { z } from "zod";

import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";
import { FORMAT } from "#consumer/history/base/format.ts";
import {
  CONTROL_DIRECTORY,
  PAUSE_FILE,
  PAUSE_SEEN_DIRECTORY,
} from "#consumer/history/base/layout.ts";
import { readWriteOnce } from "#consumer/history/base/write-once.ts";
import type { Files } from "#consumer/ports.ts";

/**
 * The time within which a change of the pause is in force in every pod, in milliseconds: no claim begins later than
 * that after the file is durable. It is longer than a reading may be used, by what an NFS client may keep attributes.
 */
export const PAUSE_DELAY_MS = 5_000;

/** A pod whose file was not written for longer is dead, hangs, or has lost the volume. */
export const PAUSE_SEEN_MS_MAX = 180_000;

const id = z.string().regex(/^[0-9a-f]{32}$/);

const pauseSchema = z.object({
  format: z.literal(FORMAT),
  /** Identifies this order, so that pods can acknowledge it. */
  id,
  paused: z.boolean(),
  by: z.string(),
  reason: z.string(),
  /** The time of the order by the clock of the machine where the command ran, in milliseconds since the epoch. */
  atMs: z.number(),
  /** The last pauses that have ended, oldest first. Their time does not count into the budget for retries. */
  ended: z.array(z.object({ fromMs: z.number(), toMs: z.number() })).default([]),
});

/** The last order of an operator: whether the pods may begin actions. */
export type PauseOrder = Readonly<z.infer<typeof pauseSchema>>;

const seenSchema = z.object({
  format: z.literal(FORMAT),
  /** The name of the pod. */
  pod: z.string(),
  uid: z.string(),
  /** The order that the pod has read last; null before the first. */
  id: id.nullable(),
  atMs: z.number(),
});

/** The acknowledgement of one process, which alone writes it and repeats it while it lives. */
export type PauseSeen = Readonly<z.infer<typeof seenSchema>>;

const READ_TRIES_MAX = 3;

/**
 * Reads the order with a fresh open(2), so that no cache answers. Throws "history-damaged" when the file is absent or
 * cannot be understood, "history-unreadable" for a newer format, and the volume's errors.
 */
export async function readPauseOrder(files: Pick<Files, "read">): Promise<PauseOrder> {
  const order = await readReplaced(files, pauseSchema, PAUSE_FILE);
  if (order) return order;
  throw new ConsumerError(
    "history-damaged",
    `${PAUSE_FILE} is missing, so nobody knows whether the work is paused: kafka_consumer pause or resume writes it`,
  );
}

/** Reads an acknowledgement; returns undefined when its process has removed it. Throws as `readWriteOnce` does. */
export function readPauseSeen(
  files: Pick<Files, "read">,
  path: string,
): Promise<PauseSeen | undefined> {
  return readReplaced(files, seenSchema, path);
}

async function readReplaced<T>(
  files: Pick<Files, "read">,
  schema: z.ZodType<T>,
  path: string,
): Promise<T | undefined> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await readWriteOnce(files, schema, path);
    } catch (error) {
      // The file was replaced while it was read.
      if (systemCode(error) !== "ESTALE" || tries === READ_TRIES_MAX) throw error;
    }
  }
}

/** Makes the file with the order not to pause, unless there is one, and makes its name durable. */
export async function beginPauseFile(
  files: Pick<Files, "makeDirectory" | "syncDirectory">,
  atomicFiles: Pick<AtomicFiles, "link">,
  orderId: string,
): Promise<void> {
  await files.makeDirectory(PAUSE_SEEN_DIRECTORY);
  const order = { id: orderId, paused: false, by: "", reason: "", atMs: 0, ended: [] };
  await atomicFiles.link(PAUSE_FILE, partsOf(order));
  await files.syncDirectory(CONTROL_DIRECTORY);
}

/** Replaces the order, durably. */
export async function replacePauseOrder(
  files: Pick<Files, "syncDirectory">,
  atomicFiles: Pick<AtomicFiles, "replace">,
  order: Omit<PauseOrder, "format">,
): Promise<void> {
  await atomicFiles.replace(PAUSE_FILE, partsOf(order));
  await files.syncDirectory(CONTROL_DIRECTORY);
}

/** Writes the acknowledgement of this process. It need not be durable, because it is repeated. */
export function replacePauseSeen(
  atomicFiles: Pick<AtomicFiles, "replace">,
  path: string,
  seen: Omit<PauseSeen, "format">,
): Promise<void> {
  return atomicFiles.replace(path, partsOf(seen));
}

function partsOf(content: object): Uint8Array[] {
  return [Buffer.from(`${JSON.stringify({ format: FORMAT, ...content })}\n`)];
}

/** Returns for how long the work was paused between two moments, in milliseconds, by the pauses that have ended. */
export function pausedMsBetween(
  { ended }: Pick<PauseOrder, "ended">,
  fromMs: number,
  toMs: number,
): number {
  const overlapsMs = ended.map((each) =>
    Math.max(0, Math.min(each.toMs, toMs) - Math.max(each.fromMs, fromMs)),
  );
  return overlapsMs.reduce((sum, overlapMs) => sum + overlapMs, 0);
}
