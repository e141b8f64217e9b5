import { setTimeout as sleep } from "node:timers/promises";

import type { EachBatchPayload } from "kafkajs";

import type { Assignment, BatchHandler, Log, UnreadableHandler } from "#consumer/ports.ts";
import type { Assignments } from "#consumer/adapters/kafka/assignments.ts";
import { toBatch } from "./batch.ts";
import { FetchedRecords } from "#consumer/adapters/kafka/records/raw-records.ts";
import type { RawRecords } from "#consumer/adapters/kafka/records/raw-records.ts";
import { readFetched } from "#consumer/adapters/kafka/records/reading.ts";
import type { Damage, VerifiedBatches, Reading } from "#consumer/adapters/kafka/records/reading.ts";
import { OverShare } from "#consumer/adapters/kafka/records/record-parser.ts";
import type { Standstills } from "./standstills.ts";
import type { RecordLimits } from "#consumer/adapters/kafka/records/record-collector.ts";
import type { SerialQueue } from "./serial-queue.ts";

/** The records that were fetched of one partition and are at work. */
export interface Delivery {
  /** Resolves at the end of the delivery. Never rejects. */
  end: Promise<void>;
  /** True when only the acknowledgement of the last commit is left. */
  isComplete: boolean;
  /** Sends the last commit. */
  commitLast?: () => void;
  /** Resumes the partition; set when it was paused. */
  resume?: () => void;
  /** True when the position cannot be read, so that the partition is not fetched again at once. */
  standsStill?: boolean;
}

export interface DeliveryOptions {
  readonly assignments: Assignments;
  readonly handle: BatchHandler;
  readonly unreadable: UnreadableHandler;
  readonly standstills: Pick<Standstills, "note" | "forget">;
  readonly log: Log;
  /** The limits of one partition. */
  readonly limits: RecordLimits;
  readonly verified: VerifiedBatches;
  /** Lets one partition at a time unpack the records that were fetched. */
  readonly reading: SerialQueue;
  /** Lets one partition at a time work on a record that is larger than its share. */
  readonly largeRecords: SerialQueue;
  readonly draining: AbortSignal;
  /** Called when the broker said that this member owns nothing any more. */
  readonly onLost: (reason: string) => void;
}

/** The delay before a batch that failed is fetched again. */
const REDELIVERY_DELAY_MS = 1000;

/** Reads the fetched bytes, and hands the records to the handler. Never rejects. */
export async function work(
  payload: EachBatchPayload,
  assignment: Assignment,
  delivery: Delivery,
  onComplete: () => void,
  options: DeliveryOptions,
): Promise<void> {
  const { assignments, draining, log, standstills } = options;
  const { partition, topic } = assignment;
  const isOurs = () => assignments.find(topic, partition) === assignment;
  let rewind: (() => void) | undefined;
  try {
    const raw = takeRaw(payload);
    if (raw === undefined) return;
    const deliver = async (reading: Reading): Promise<void> => {
      if (!isOurs() || draining.aborted) return;
      const resolve = (): void => {
        if (isOurs()) payload.resolveOffset(String(reading.nextOffset - 1n));
      };
      const made = toBatch(payload, raw.offset, reading, {
        assignment,
        isOurs,
        onLost: options.onLost,
        onComplete: () => {
          resolve();
          onComplete();
        },
        log,
      });
      delivery.commitLast = made.commitLast;
      rewind = made.rewind;
      await options.handle(made.batch);
      resolve();
    };
    await readInTurn(raw, payload, options, async (reading) => {
      if (!isOurs() || draining.aborted) return;
      const { damage, nextOffset } = reading;
      if (damage === undefined || nextOffset > raw.offset) {
        standstills.forget(topic, partition);
        return deliver(reading);
      }
      const passed = await passDamage(damage, raw.offset, assignment, options);
      if (passed === undefined) delivery.standsStill = true;
      else {
        // The handler commits this position, because it may not have committed everything before it.
        await deliver({ records: [], nextOffset: passed });
        standstills.forget(topic, partition);
      }
    });
  } catch (error) {
    if (!isOurs() || draining.aborted) {
      log.debug("batch.abandoned", { topic, partition, error });
      return;
    }
    rewind?.();
    log.warn("batch.failed", { topic, partition, retryInMs: REDELIVERY_DELAY_MS, error });
    const over = AbortSignal.any([assignment.signal, draining]);
    await sleep(REDELIVERY_DELAY_MS, undefined, { signal: over }).catch(() => undefined);
  }
}

/** Takes the fetched bytes out of the object that kafkajs keeps. Returns undefined the second time. */
export function takeRaw({ batch }: EachBatchPayload): RawRecords | undefined {
  const [fetched] = batch.messages;
  return fetched instanceof FetchedRecords ? fetched.take() : undefined;
}

/**
 * Reads and uses the records in turn. A record that is larger than the share of a partition waits until no other such
 * record is at work.
 */
async function readInTurn(
  raw: RawRecords,
  { batch: { topic, partition, highWatermark } }: EachBatchPayload,
  { draining, largeRecords, limits, reading, verified }: DeliveryOptions,
  use: (reading: Reading) => Promise<void>,
): Promise<void> {
  const place = { topic, partition, highWatermark: BigInt(highWatermark), verified };
  let found: Reading | undefined;
  try {
    found = await reading(() => readFetched(raw, place, limits));
  } catch (error) {
    if (!(error instanceof OverShare)) throw error;
  }
  if (found !== undefined) return use(found);
  const alone = { ...limits, countMax: 1, bytesMax: limits.recordBytesMax };
  return largeRecords(async () => {
    if (draining.aborted) return;
    await use(await reading(() => readFetched(raw, place, alone)));
  });
}

/**
 * Returns the position to read on from when an operator has ordered to skip what cannot be read; otherwise undefined.
 */
async function passDamage(
  { cause, detail, endOffset, fingerprint }: Damage,
  offset: bigint,
  assignment: Assignment,
  { log, standstills, unreadable }: DeliveryOptions,
): Promise<bigint | undefined> {
  const { topic, partition } = assignment;
  standstills.note({ topic, partition, offset, cause, detail });
  try {
    const passed = await unreadable({ assignment, offset, endOffset, fingerprint, cause, detail });
    return passed !== undefined && passed > offset && passed <= endOffset ? passed : undefined;
  } catch (error) {
    log.warn("standstill.check-failed", { topic, partition, offset: String(offset), error });
    return undefined;
  }
}
