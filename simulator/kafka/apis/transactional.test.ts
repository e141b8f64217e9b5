import * as platformatic from "@platformatic/kafka";
import { describe, expect, test } from "vitest";
import { ExchangeConnection } from "./testing/exchange.ts";
import { GROUP, prepare, TOPIC } from "./testing/prepared.ts";
import type { Prepared } from "./testing/prepared.ts";

const ID = "transactional";

/** Opens a transaction that includes partition 0. */
async function open() {
  const prepared = await prepare();
  const { transactions } = prepared.cluster;
  const producer = transactions.initProducer(ID, 60_000, undefined);
  if (typeof producer === "string") throw new Error(producer);
  transactions.add(ID, producer, { partitions: [{ topic: TOPIC, partition: 0 }] });
  return { ...prepared, producer };
}

interface Written {
  readonly partition?: number;
  readonly transactionalId?: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly version?: 10 | 11;
}

/** Sends one Produce request and returns its error, or undefined without one. */
async function write({ cluster }: Pick<Prepared, "cluster">, written: Written) {
  const { partition = 0, version = 10, ...options } = written;
  const api = version === 10 ? platformatic.produceV10.api : platformatic.produceV11.api;
  const message = { topic: TOPIC, partition, value: Buffer.from("v"), timestamp: 1000n };
  return await api.async(new ExchangeConnection(cluster), -1, 1000, [message], options).then(
    () => undefined,
    (error: { errors: readonly { apiId: string }[] }) => error.errors[0]?.apiId,
  );
}

describe("Produce", () => {
  test("accepts records of an open transaction", async () => {
    const { producer, ...prepared } = await open();
    const before = prepared.cluster.topics.partition(TOPIC, 0)?.log.lastStableOffset;
    expect(await write(prepared, { ...producer, transactionalId: ID })).toBeUndefined();
    const log = prepared.cluster.topics.partition(TOPIC, 0)?.log;
    expect(log?.endOffset).toBe(2n);
    expect(log?.lastStableOffset).toBe(before);
  });

  test("refuses a partition that was not added, with an error that the version knows", async () => {
    const { producer, ...prepared } = await open();
    const written = { ...producer, transactionalId: ID, partition: 1 };
    expect(await write(prepared, written)).toBe("INVALID_TXN_STATE");
    expect(await write(prepared, { ...written, version: 11 })).toBe("TRANSACTION_ABORTABLE");
    expect(prepared.cluster.topics.partition(TOPIC, 1)?.log.endOffset).toBe(0n);
  });

  test("refuses a fenced producer and an unknown one", async () => {
    const { producer, ...prepared } = await open();
    const unknown = { ...producer, producerId: 9n, transactionalId: ID };
    expect(await write(prepared, unknown)).toBe("INVALID_PRODUCER_ID_MAPPING");
    prepared.cluster.transactions.abort(ID);
    const fenced = { ...producer, transactionalId: ID };
    expect(await write(prepared, fenced)).toBe("INVALID_PRODUCER_EPOCH");
  });

  test("asks for the right to the transactional id before anything else", async () => {
    const { producer, ...prepared } = await open();
    prepared.cluster.authorizer.add({
      resource: "TRANSACTIONAL_ID",
      name: ID,
      pattern: "LITERAL",
      principal: "User:*",
      host: "*",
      operation: "WRITE",
      permission: "DENY",
    });
    const written = { ...producer, transactionalId: ID, partition: 9 };
    expect(await write(prepared, written)).toBe("TRANSACTIONAL_ID_AUTHORIZATION_FAILED");
  });

  test("refuses a batch without the transaction while that is open", async () => {
    const { producer, ...prepared } = await open();
    await write(prepared, { ...producer, transactionalId: ID });
    expect(await write(prepared, producer)).toBe("INVALID_TXN_STATE");
  });
});

test("ListOffsets and Fetch end for read_committed where the first open transaction begins", async () => {
  const { producer, cluster } = await open();
  await write({ cluster }, { ...producer, transactionalId: ID });
  const connection = new ExchangeConnection(cluster);
  const topics = [
    { name: TOPIC, partitions: [{ partitionIndex: 0, currentLeaderEpoch: 0, timestamp: -1n }] },
  ];
  const ends = await Promise.all(
    [0, 1].map((isolation) =>
      platformatic.listOffsetsV8.api.async(connection, -1, isolation, topics),
    ),
  );
  expect(ends.map((end) => end.topics[0]?.partitions[0]?.offset)).toEqual([2n, 1n]);
});

test("OffsetFetch that requires stable offsets waits for the end of the transaction", async () => {
  const { producer, cluster } = await open();
  cluster.transactions.add(ID, producer, { group: GROUP });
  const committed = { offset: 8n, leaderEpoch: -1, metadata: "", committedAtMs: 0 };
  cluster.groups.get(GROUP)?.offsets.setPending(producer.producerId, TOPIC, 1, committed);
  const connection = new ExchangeConnection(cluster);
  const groups = [
    {
      groupId: GROUP,
      memberId: null,
      memberEpoch: -1,
      topics: [{ name: TOPIC, partitionIndexes: [1] }],
    },
  ];
  const fetchOffset = async (requireStable: boolean) => {
    const answer = await platformatic.offsetFetchV8.api.async(connection, groups, requireStable);
    return answer.groups[0]?.topics[0]?.partitions[0]?.committedOffset;
  };
  expect(await fetchOffset(false)).toBe(7n);
  await expect(fetchOffset(true)).rejects.toHaveProperty(
    "errors.0.apiId",
    "UNSTABLE_OFFSET_COMMIT",
  );
  cluster.transactions.end(ID, producer, true);
  expect(await fetchOffset(true)).toBe(8n);
});
