import { randomBytes } from "node:crypto";
import type { Batch, SourceRecord } from "#consumer/ports.ts";
import { NAMES } from "#fixtures/configurations.ts";
import { incidentBytes } from "../incidents.ts";
import { openPipeline, type OpenPipeline } from "./open.ts";
import { slowCalls } from "./slow-calls.ts";

export interface ActOptions {
  readonly directory: string;
  /** Unique incidents, one action each. */
  readonly actions: number;
  /** In every file system call; 0: none. */
  readonly delayMs: number;
}

export interface ActResult {
  /** From the first record to the last commit. */
  readonly durationMs: number;
  /** File system calls; 0 without a delay, since they are counted where they are delayed. */
  readonly calls: number;
}

/** Shards of claims are made on their first use: not what one more action costs. */
const WARM_ACTIONS = 1500;

export async function act({ directory, actions, delayMs }: ActOptions): Promise<ActResult> {
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
