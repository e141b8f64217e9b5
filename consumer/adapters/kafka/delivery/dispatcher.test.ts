import type { EachBatchPayload } from "kafkajs";
import { describe, expect, vi, test } from "vitest";

import { createRecordedLog } from "#fixtures/ports/observers.ts";
import { recordBatch } from "#fixtures/record-batches.ts";

import type { Batch } from "#consumer/ports.ts";
import { createAssignments } from "#consumer/adapters/kafka/assignments.ts";
import { createDispatcher } from "./dispatcher.ts";
import { FetchedRecords } from "#consumer/adapters/kafka/records/raw-records.ts";

const TOPIC = "incidents";

interface Doubles {
  readonly partitionsConcurrentMax?: number;
  /** Default: ends when it is told. */
  readonly handle?: (batch: Batch) => Promise<void>;
  /** The broker's answer to a commit. Default: at once. */
  readonly commit?: () => Promise<void>;
}

/** Dispatcher with a handler, and `fetch`: what kafkajs does with a partition that is not paused. */
function setUp({ partitionsConcurrentMax = 8, handle, commit }: Doubles = {}) {
  const assignments = createAssignments();
  const paused = new Set<number>();
  const resolved: number[] = [];
  /** The offset at which the next fetch begins. */
  let position = 1n;
  const handled: { batch: Batch; end: () => void }[] = [];
  let stale = false;
  const dispatcher = createDispatcher({
    assignments,
    partitionsConcurrentMax,
    recordsInFlightMax: 1000,
    bytesInFlightMax: 1_000_000,
    heartbeatIntervalMs: 3000,
    unreadable: async () => undefined,
    standstills: { note: () => undefined, forget: () => undefined },
    log: createRecordedLog(),
    maybeStale: () => stale,
    onLost: () => undefined,
    handle: async (batch) => {
      const { promise, resolve: end } = Promise.withResolvers<void>();
      handled.push({ batch, end });
      await (handle === undefined ? promise : handle(batch));
    },
  });
  const fetch = async (partition: number): Promise<void> => {
    if (paused.has(partition)) return;
    const bytes = recordBatch([{ value: "v" }], { baseOffset: position });
    const fetched = new FetchedRecords({ offset: position, bytes, abortedTransactions: [] });
    const payload = {
      batch: {
        topic: TOPIC,
        partition,
        highWatermark: "9",
        messages: [fetched],
      },
      heartbeat: async () => undefined,
      resolveOffset: (to: string) => {
        resolved.push(partition);
        position = BigInt(to) + 1n;
      },
      commitOffsetsIfNecessary: commit ?? (async () => undefined),
      pause: () => {
        paused.add(partition);
        return () => paused.delete(partition);
      },
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest of kafkajs's payload is not used
    await dispatcher.deliver(payload as unknown as EachBatchPayload);
  };
  const grant = (...partitions: number[]) => assignments.grant({ [TOPIC]: partitions });
  return {
    dispatcher,
    paused,
    resolved,
    handled,
    fetch,
    grant,
    position: () => position,
    suspect: (value: boolean) => {
      stale = value;
    },
  };
}

async function commitAll(batch: Batch): Promise<void> {
  await batch.commit(batch.nextOffset);
}

describe("batches of kafkajs", () => {
  test("go to the handler once; the partition is paused meanwhile, fetched and resolved afterwards", async () => {
    const { fetch, grant, handled, paused, resolved } = setUp();
    grant(0);
    await fetch(0);
    await fetch(0);
    expect(handled).toHaveLength(1);
    expect([...paused]).toStrictEqual([0]);
    handled[0]!.end();
    await vi.waitFor(() => expect([...paused]).toStrictEqual([]));
    expect(resolved).toStrictEqual([0]);
  });

  test("that may come from an earlier generation are dropped, neither handled nor resolved nor paused", async () => {
    const { fetch, grant, handled, paused, resolved, suspect } = setUp();
    grant(0);
    suspect(true);
    await fetch(0);
    expect({ handled: handled.length, paused: paused.size, resolved }).toStrictEqual({
      handled: 0,
      paused: 0,
      resolved: [],
    });
    suspect(false);
    await fetch(0);
    expect(handled).toHaveLength(1);
  });

  test("of a partition that is not assigned make kafkajs join again", async () => {
    const { fetch, grant } = setUp();
    grant(1);
    await expect(fetch(0)).rejects.toMatchObject({ type: "REBALANCE_IN_PROGRESS" });
  });

  test("are not resolved by a handler whose assignment is over, and wait until it has ended", async () => {
    const { fetch, grant, handled, paused, resolved } = setUp();
    grant(0);
    await fetch(0);
    paused.clear();
    grant(0);
    await fetch(0);
    expect(handled).toHaveLength(1);
    expect([...paused]).toStrictEqual([0]);
    expect(handled[0]!.batch.assignment.signal.aborted).toBe(true);
    handled[0]!.end();
    await vi.waitFor(() => expect([...paused]).toStrictEqual([]));
    expect(resolved).toStrictEqual([]);
    await fetch(0);
    expect(handled).toHaveLength(2);
    expect(handled[1]!.batch.assignment.epoch).toBeGreaterThan(handled[0]!.batch.assignment.epoch);
  });

  test("that wait are woken whoever was woken before: nothing to read, or another member's by now", async () => {
    const { fetch, grant, handled, paused } = setUp({ partitionsConcurrentMax: 1 });
    grant(0, 1, 2, 3);
    for (const partition of [0, 2, 1, 3]) await fetch(partition);
    expect(paused.size).toBe(4);
    grant(1, 3);
    handled[0]!.end();
    await vi.waitFor(() => expect([...paused].filter((partition) => partition % 2)).toEqual([]), {
      timeout: 5000,
    });
  });

  test("are not taken any more while draining, and what runs is waited for", async () => {
    const { dispatcher, fetch, grant, handled, paused } = setUp();
    grant(0, 1);
    await fetch(0);
    const drained = vi.fn<() => void>();
    const draining = dispatcher.drain();
    void draining.then(drained);
    await fetch(1);
    expect(handled).toHaveLength(1);
    expect(paused).toContain(1);
    expect(drained).not.toHaveBeenCalled();
    handled[0]!.end();
    await draining;
  });

  describe("whose records have all ended", () => {
    test("let what follows be fetched while their commit is on its way, and handled when it is answered", async () => {
      const answer = Promise.withResolvers<void>();
      const { fetch, grant, handled, paused, position } = setUp({
        partitionsConcurrentMax: 1,
        handle: commitAll,
        commit: () => answer.promise,
      });
      grant(0);
      await fetch(0);
      expect(position()).toBe(2n);
      const next = fetch(0);
      await Promise.resolve();
      expect(handled).toHaveLength(1);
      answer.resolve();
      await next;
      expect(handled.map(({ batch }) => batch.records[0]?.offset)).toStrictEqual([1n, 2n]);
      expect(paused.size).toBe(0);
    });

    test("leave their place to another partition, but not to any number", async () => {
      const { promise } = Promise.withResolvers<void>();
      const { fetch, grant, handled, paused } = setUp({
        partitionsConcurrentMax: 1,
        handle: commitAll,
        commit: () => promise,
      });
      grant(0, 1, 2);
      for (const partition of [0, 1, 2]) await fetch(partition);
      expect(handled.map(({ batch }) => batch.assignment.partition)).toStrictEqual([0, 1]);
      expect([...paused]).toStrictEqual([2]);
    });

    test("are fetched again when the commit fails", async () => {
      const { fetch, grant, position } = setUp({
        handle: commitAll,
        commit: () => Promise.reject(new Error("no coordinator")),
      });
      grant(0);
      await fetch(0);
      expect(position()).toBe(2n);
      await vi.waitFor(() => expect(position()).toBe(1n), { timeout: 5000 });
    });

    test("are waited for by a drain until the commit is answered", async () => {
      const answer = Promise.withResolvers<void>();
      const { dispatcher, fetch, grant } = setUp({
        handle: commitAll,
        commit: () => answer.promise,
      });
      grant(0);
      await fetch(0);
      const drained = vi.fn<() => void>();
      const draining = dispatcher.drain().then(drained);
      await Promise.resolve();
      expect(drained).not.toHaveBeenCalled();
      answer.resolve();
      await draining;
    });
  });
});
