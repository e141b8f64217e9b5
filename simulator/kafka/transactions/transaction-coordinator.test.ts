import { describe, expect, test } from "vitest";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import type { ProducerIdentity } from "./transaction.ts";
import { TransactionCoordinator } from "./transaction-coordinator.ts";

const ID = "transactional";
const TIMEOUT_MS = 60_000;
const PARTITION = { topic: "t", partition: 0 };

function setUp() {
  const timers = new VirtualTimers();
  const effects: string[] = [];
  let producerIds = 0n;
  const transactions = new TransactionCoordinator(timers, {
    newProducerId: () => (producerIds += 1n),
    writeMarker: ({ topic, partition }, { producerId, producerEpoch, committed }) => {
      effects.push(`${topic}-${partition} ${producerId}/${producerEpoch} ${committed}`);
    },
    completeOffsets: (group, producerId, committed) => {
      effects.push(`${group} ${producerId} ${committed}`);
    },
  });
  const init = (expected?: ProducerIdentity): ProducerIdentity => {
    const producer = transactions.initProducer(ID, TIMEOUT_MS, expected);
    if (typeof producer === "string") throw new Error(producer);
    return producer;
  };
  const tryInit = (expected?: ProducerIdentity) =>
    transactions.initProducer(ID, TIMEOUT_MS, expected);
  return { timers, transactions, effects, init, tryInit };
}

/** Makes a producer with an open transaction in one partition and one group. */
function open() {
  const ready = setUp();
  const producer = ready.init();
  expect(ready.transactions.add(ID, producer, { partitions: [PARTITION] })).toBe("NONE");
  expect(ready.transactions.add(ID, producer, { group: "g" })).toBe("NONE");
  return { ...ready, producer };
}

describe("a transaction", () => {
  test.each([true, false])("ends everywhere at once, committed: %s", (committed) => {
    const { timers, transactions, effects, producer } = open();
    expect(transactions.get(ID)).toMatchObject({ state: "Ongoing", partitions: [PARTITION] });
    expect(transactions.end(ID, producer, committed)).toBe("NONE");
    expect(effects).toEqual([`t-0 1/0 ${committed}`, `g 1 ${committed}`]);
    expect(timers.pending).toBe(0);
    expect(transactions.get(ID)?.partitions).toEqual([]);
  });

  test("can be ended twice in the same way, and not in another way", () => {
    const { transactions, effects, producer } = open();
    transactions.end(ID, producer, true);
    expect(transactions.end(ID, producer, true)).toBe("NONE");
    expect(transactions.end(ID, producer, false)).toBe("INVALID_TXN_STATE");
    expect(effects).toHaveLength(2);
  });

  test("is aborted when it lasts too long, and its producer fenced", () => {
    const { timers, transactions, effects, producer } = open();
    timers.advance(TIMEOUT_MS - 1);
    expect(effects).toEqual([]);
    timers.advance(1);
    expect(effects).toEqual(["t-0 1/1 false", "g 1 false"]);
    expect(transactions.end(ID, producer, true)).toBe("PRODUCER_FENCED");
    expect(transactions.add(ID, producer, { partitions: [PARTITION] })).toBe("PRODUCER_FENCED");
  });

  test("that has not begun cannot be ended", () => {
    const { transactions, init } = setUp();
    expect(transactions.end(ID, init(), true)).toBe("INVALID_TXN_STATE");
  });

  test("allows writes to what was added to it, and to nothing else", () => {
    const { transactions, producer } = open();
    const other = { ...PARTITION, partition: 1 };
    expect(transactions.verifyPartition(ID, producer, PARTITION)).toBeUndefined();
    expect(transactions.verifyPartition(ID, producer, other)).toBe("TRANSACTION_ABORTABLE");
    expect(transactions.verifyGroup(ID, producer, "g")).toBeUndefined();
    expect(transactions.verifyGroup(ID, producer, "h")).toBe("TRANSACTION_ABORTABLE");
    const stale = { ...producer, producerEpoch: producer.producerEpoch + 1 };
    expect(transactions.verifyPartition(ID, stale, PARTITION)).toBe("PRODUCER_FENCED");
  });
});

describe("a producer", () => {
  test("fences the one before it", () => {
    const { transactions, init } = setUp();
    const first = init();
    expect(init()).toEqual({ ...first, producerEpoch: 1 });
    expect(transactions.add(ID, first, { partitions: [PARTITION] })).toBe("PRODUCER_FENCED");
  });

  test("waits until the open transaction of the one before it is aborted", () => {
    const { effects, tryInit, producer } = open();
    expect(tryInit()).toBe("CONCURRENT_TRANSACTIONS");
    expect(effects).toEqual(["t-0 1/1 false", "g 1 false"]);
    expect(tryInit()).toEqual({ ...producer, producerEpoch: 2 });
  });

  test("goes on with a new epoch, and is told the same one when it asks again", () => {
    const { init, tryInit } = setUp();
    const first = init();
    const second = init(first);
    expect(second).toEqual({ ...first, producerEpoch: 1 });
    expect(init(first)).toEqual(second);
    const other = init();
    expect(tryInit(first)).toBe("PRODUCER_FENCED");
    expect(tryInit(second)).toBe("PRODUCER_FENCED");
    expect(tryInit({ ...other, producerId: 99n })).toBe("PRODUCER_FENCED");
  });

  test("gets another id when the epochs of one are exhausted", () => {
    const { init } = setUp();
    let producer = init();
    while (producer.producerEpoch < 32_766) producer = init();
    expect(init(producer)).toEqual({ producerId: 2n, producerEpoch: 0 });
    // A retry of the same request comes with the previous id.
    expect(init(producer)).toEqual({ producerId: 2n, producerEpoch: 0 });
  });

  test("with an unknown or wrong id is refused", () => {
    const { transactions, init } = setUp();
    const producer = init();
    const mapping = "INVALID_PRODUCER_ID_MAPPING";
    expect(transactions.add("other", producer, { group: "g" })).toBe(mapping);
    expect(transactions.end(ID, { ...producer, producerId: 9n }, true)).toBe(mapping);
    expect(transactions.initProducer("", TIMEOUT_MS, undefined)).toBe("INVALID_REQUEST");
    expect([0, 900_001].map((ms) => transactions.initProducer(ID, ms, undefined))).toEqual([
      "INVALID_TRANSACTION_TIMEOUT",
      "INVALID_TRANSACTION_TIMEOUT",
    ]);
  });
});

test("closing leaves no timer", () => {
  const { timers, transactions } = open();
  expect(timers.pending).toBe(1);
  transactions.close();
  expect(timers.pending).toBe(0);
});
