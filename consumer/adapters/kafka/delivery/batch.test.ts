import type { EachBatchPayload } from "kafkajs";
import { expect, test } from "vitest";

import { recordBatch } from "#fixtures/record-batches.ts";

import type { Batch, BatchHandler } from "#consumer/ports.ts";
import { createAssignments } from "#consumer/adapters/kafka/assignments.ts";
import { createDispatcher } from "./dispatcher.ts";
import { FetchedRecords } from "#consumer/adapters/kafka/records/raw-records.ts";
import { createRecordedLog } from "#fixtures/ports/observers.ts";

/** A fetch of one batch whose records have values of these sizes. */
function payloadOf(
  sizes: readonly number[],
  resolved: string[],
  { partition = 0, baseOffset = 0n } = {},
): EachBatchPayload {
  const records = sizes.map((size) => ({ value: Buffer.alloc(size) }));
  const bytes = recordBatch(records, { baseOffset });
  const fetched = new FetchedRecords({ offset: baseOffset, bytes, abortedTransactions: [] });
  const payload = {
    batch: { topic: "t", partition, highWatermark: "9", messages: [fetched] },
    resolveOffset: (offset: string) => void resolved.push(offset),
    heartbeat: async () => undefined,
    pause: () => () => undefined,
    commitOffsetsIfNecessary: async () => undefined,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest of kafkajs's payload is not used
  return payload as unknown as EachBatchPayload;
}

interface Doubles {
  readonly records?: number;
  readonly bytes?: number;
  /** Default: ends at once. */
  readonly handle?: BatchHandler;
}

function startDeliveries(maybeStale: () => boolean, doubles: Doubles = {}) {
  const assignments = createAssignments();
  assignments.grant({ t: [0, 1] });
  const batches: Batch[] = [];
  const dispatcher = createDispatcher({
    assignments,
    handle: doubles.handle ?? (async (batch) => void batches.push(batch)),
    unreadable: async () => undefined,
    standstills: { note: () => undefined, forget: () => undefined },
    log: createRecordedLog(),
    partitionsConcurrentMax: 2,
    recordsInFlightMax: doubles.records ?? 100,
    bytesInFlightMax: doubles.bytes ?? 10_000,
    heartbeatIntervalMs: 1000,
    maybeStale,
    onLost: () => undefined,
  });
  return {
    assignments,
    batches,
    commitLast: () => dispatcher.commitLast(),
    deliver: (payload: EachBatchPayload) => dispatcher.deliver(payload),
  };
}

/** Returns the number of records that the handler was given at once, for records of these sizes. */
async function shareOf(sizes: readonly number[], doubles: Doubles): Promise<number> {
  const resolved: string[] = [];
  const { batches, deliver } = startDeliveries(() => false, doubles);
  await deliver(payloadOf(sizes, resolved));
  const count = batches[0]?.records.length ?? 0;
  expect(resolved).toEqual([String(count - 1)]);
  return count;
}

test("a batch that may be of an earlier generation reaches no handler, and is fetched again", async () => {
  const resolved: string[] = [];
  let stale = true;
  const { batches, deliver } = startDeliveries(() => stale);
  await deliver(payloadOf([1], resolved, { baseOffset: 5n }));
  expect(batches).toEqual([]);
  expect(resolved).toEqual([]);
  stale = false;
  await deliver(payloadOf([1], resolved));
  expect(batches).toHaveLength(1);
  expect(resolved).toEqual(["0"]);
});

test("a partition gets its share in count and bytes, at least one record, and resolves no further", async () => {
  expect(await shareOf([1, 1, 1, 1], { records: 6 })).toBe(3);
  expect(await shareOf([100, 100, 100], { bytes: 500 })).toBe(2);
  expect(await shareOf([1000, 1], { bytes: 500 })).toBe(1);
  expect(await shareOf([1, 1, 1], {})).toBe(3);
});

/** Both partitions' batches, and the offsets that were sent to be committed. */
async function deliverBoth() {
  const sent: unknown[] = [];
  const { assignments, batches, deliver } = startDeliveries(() => false);
  for (const partition of [0, 1]) {
    await deliver({
      ...payloadOf([1], [], { partition, baseOffset: 5n }),
      commitOffsetsIfNecessary: async (offsets) => void sent.push(offsets),
    });
  }
  const [first, second] = batches;
  if (!first || !second) throw new Error("not delivered");
  return { assignments, first, second, sent };
}

test("a batch of an earlier epoch commits nothing, though the partition is ours again", async () => {
  const { assignments, first, sent } = await deliverBoth();
  await first.commit(6n);
  expect(sent).toHaveLength(1);
  assignments.grant({ t: [0, 1] });
  expect(assignments.find("t", 0)?.signal.aborted).toBe(false);
  await expect(first.commit(6n)).rejects.toMatchObject({ code: "assignment-lost" });
  expect(sent).toHaveLength(1);
});

test("all partitions are lost in one step: who hears of the first commits nothing of the second", async () => {
  const { assignments, first, second, sent } = await deliverBoth();
  let late: Promise<unknown> | undefined;
  first.assignment.signal.addEventListener("abort", () => {
    expect(second.assignment.signal.aborted).toBe(false);
    late = second.commit(6n).catch((error: unknown) => error);
  });
  assignments.revoke("a session ended");
  expect(await late).toMatchObject({ code: "assignment-lost" });
  expect(sent).toEqual([]);
});

test("the last commit is sent for the epoch in which a batch was fetched, and for no later one", async () => {
  const { assignments, commitLast, deliver } = startDeliveries(() => false, {
    handle: async (batch) => {
      batch.beforeRevoke?.(() => 6n);
      await new Promise(() => undefined);
    },
  });
  const sent: unknown[] = [];
  await deliver({
    ...payloadOf([1, 1], [], { baseOffset: 5n }),
    commitOffsetsIfNecessary: async (offsets) => void sent.push(offsets),
  });
  commitLast();
  expect(sent).toEqual([{ topics: [{ topic: "t", partitions: [{ partition: 0, offset: "6" }] }] }]);
  // Another member may have had the partition in between, and have come further.
  assignments.grant({ t: [0, 1] });
  commitLast();
  expect(sent).toHaveLength(1);
});

test("a batch that its handler left commits later, and takes the position of those after it nowhere", async () => {
  const resolved: string[] = [];
  const left: Batch[] = [];
  const { deliver } = startDeliveries(() => false, {
    handle: async (batch) => {
      batch.leave?.();
      left.push(batch);
    },
  });
  await deliver(payloadOf([1, 1], resolved));
  await deliver(payloadOf([1, 1], resolved, { baseOffset: 2n }));
  expect(resolved).toEqual(["1", "3"]);
  await left[0]?.commit(1n);
  await left[0]?.commit(2n);
  await left[1]?.commit(4n);
  expect(resolved).toEqual(["1", "3"]);
});
