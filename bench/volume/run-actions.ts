import { randomBytes } from "node:crypto";
import type { Batch, SourceRecord } from "#consumer/ports.ts";
import { NAMES } from "#fixtures/configurations.ts";
import { incidentBytes } from "../incidents.ts";
import { openPipeline } from "./open.ts";
import type { OpenPipeline } from "./open.ts";
import { slowCalls } from "./slow-calls.ts";

export interface ActionOptions {
  readonly directory: string;
  /** The number of unique incidents, with one action each. */
  readonly actions: number;
  /** The delay of every file system call, in milliseconds; 0 for none. */
  readonly delayMs: number;
}

export interface ActionResult {
  /** The time from the first record to the last commit. */
  readonly durationMs: number;
  /**
   * The number of file system calls; 0 without a delay, since calls are counted where they are
   * delayed.
   */
  readonly calls: number;
}

/**
 * The number of actions before the measurement. Shards of claims are created on their first use,
 * which is no cost of one more action.
 */
const WARM_ACTIONS = 1500;

export async function runActions({
  directory,
  actions,
  delayMs,
}: ActionOptions): Promise<ActionResult> {
  await using pipeline = await openPipeline(directory);
  await pipeline.handle(batchOf(uniqueRecords(WARM_ACTIONS)));
  await using slow = delayMs > 0 ? await slowCalls(delayMs) : undefined;
  const records = uniqueRecords(actions);
  const durationMs = await handleTimed(pipeline, records);
  return { durationMs, calls: slow?.calls() ?? 0 };
}

async function handleTimed({ handle }: OpenPipeline, records: SourceRecord[]): Promise<number> {
  const startMs = performance.now();
  await handle(batchOf(records));
  return performance.now() - startMs;
}

export function uniqueRecords(count: number): SourceRecord[] {
  return Array.from({ length: count }, (_, offset) =>
    recordOf(incidentBytes(randomBytes(12).toString("hex")), offset),
  );
}

export function recordOf(value: Uint8Array, offset: number): SourceRecord {
  return {
    topic: NAMES.topic,
    partition: 0,
    offset: BigInt(offset),
    key: null,
    value,
    headers: {},
    timestampMs: Date.now(),
  };
}

export function batchOf(records: readonly SourceRecord[]): Batch {
  return {
    assignment: {
      topic: NAMES.topic,
      partition: 0,
      epoch: 1,
      signal: new AbortController().signal,
    },
    records,
    nextOffset: BigInt(Number(records.at(-1)?.offset ?? 0n) + 1),
    commit: async () => undefined,
  };
}
