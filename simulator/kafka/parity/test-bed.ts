import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { protocolErrors } from "@platformatic/kafka";
import type { TestContext } from "vitest";
import { produce } from "#simulator/kafka/apis/00-produce.ts";
import { fetch } from "#simulator/kafka/apis/01-fetch.ts";
import { listOffsets } from "#simulator/kafka/apis/02-list-offsets.ts";
import { metadata } from "#simulator/kafka/apis/03-metadata.ts";
import { offsetFetch } from "#simulator/kafka/apis/09-offset-fetch.ts";
import { findCoordinator } from "#simulator/kafka/apis/10-find-coordinator.ts";
import { createTopics } from "#simulator/kafka/apis/19-create-topics.ts";
import { deleteTopics } from "#simulator/kafka/apis/20-delete-topics.ts";
import { deleteRecords } from "#simulator/kafka/apis/21-delete-records.ts";
import { deleteGroups } from "#simulator/kafka/apis/42-delete-groups.ts";
import { openBrokerUnderTest } from "./broker-under-test.ts";
import type { BrokerUnderTest } from "./broker-under-test.ts";
import { WireConnection } from "./wire-connection.ts";

const DEADLINE_MS = 20_000;
const POLL_MS = 10;

/**
 * A broker with topics and groups for one test file: their names are unique, and disposing deletes
 * them.
 */
export class TestBed implements AsyncDisposable {
  readonly broker: BrokerUnderTest;
  readonly #nodes = new Map<number, Promise<WireConnection>>();
  readonly #opened: WireConnection[] = [];
  readonly #topics: string[] = [];
  readonly #groups: string[] = [];
  /** The connection to the bootstrap node. */
  readonly any: WireConnection;

  static async open(): Promise<TestBed> {
    const broker = await openBrokerUnderTest();
    return new TestBed(broker, await WireConnection.open(broker.plain));
  }

  private constructor(broker: BrokerUnderTest, any: WireConnection) {
    this.broker = broker;
    this.any = any;
    this.#opened.push(any);
  }

  /** Opens a new connection, to the bootstrap node unless another one is named. */
  async connect(node?: number): Promise<WireConnection> {
    const connection = await WireConnection.open(
      node === undefined ? this.broker.plain : await this.#endpoint(node),
    );
    this.#opened.push(connection);
    return connection;
  }

  /** Returns the ids of all nodes. */
  async nodes(): Promise<number[]> {
    const { brokers } = await this.any.call(metadata, 9, { topics: [] });
    return brokers.map(({ nodeId }) => nodeId);
  }

  /**
   * Returns the connection to another node than this one. Skips the test when there is only one.
   */
  async otherNode(id: number, context: TestContext): Promise<WireConnection> {
    const other = (await this.nodes()).find((candidate) => candidate !== id);
    return other === undefined ? context.skip("one node only") : this.node(other);
  }

  /** Returns the shared connection to a node. */
  node(id: number): Promise<WireConnection> {
    const opened = this.#nodes.get(id) ?? this.connect(id);
    this.#nodes.set(id, opened);
    return opened;
  }

  /** Creates a topic and returns its name once every leader serves it. */
  async createTopic(partitions = 1, configs: Readonly<Record<string, string>> = {}) {
    const name = this.topicName();
    const { topics } = await this.any.call(createTopics, 5, {
      topics: [
        {
          name,
          partitionCount: partitions,
          replicationFactor: -1,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: DEADLINE_MS,
    });
    if (topics[0]?.errorCode !== 0) throw new Error(`CreateTopics ${errorName(topics[0])}`);
    await this.untilServed(name, partitions);
    return name;
  }

  /** Returns a unique name. A topic of this name is deleted in the end. */
  topicName(): string {
    const name = `parity-${randomUUID()}`;
    this.#topics.push(name);
    return name;
  }

  /** Waits until the leader of every partition answers for it. */
  async untilServed(topic: string, partitions: number): Promise<void> {
    for (let index = 0; index < partitions; index += 1) {
      await until(`${topic}-${index} has a leader`, async () => {
        const id = await this.leaderId(topic, index);
        if (id === -1) return false;
        const { topics } = await (
          await this.node(id)
        ).call(listOffsets, 1, {
          replicaId: -1,
          topics: [{ name: topic, partitions: [{ index, timestamp: -1n }] }],
        });
        return topics[0]?.partitions[0]?.errorCode === 0;
      });
    }
  }

  async topicId(topic: string): Promise<string> {
    const { topics } = await this.any.call(metadata, 10, {
      topics: [{ name: topic }],
      allowAutoTopicCreation: false,
    });
    return topics[0]?.id ?? "";
  }

  /** Returns the leader's id, or -1 while there is none. */
  async leaderId(topic: string, partition = 0): Promise<number> {
    const { topics } = await this.any.call(metadata, 9, {
      topics: [{ name: topic }],
      allowAutoTopicCreation: false,
    });
    return topics[0]?.partitions.find(({ index }) => index === partition)?.leaderId ?? -1;
  }

  async leader(topic: string, partition = 0): Promise<WireConnection> {
    return this.node(await this.leaderId(topic, partition));
  }

  group(): string {
    const id = `parity-${randomUUID()}`;
    this.#groups.push(id);
    return id;
  }

  /** Waits until a node coordinates the group and has read its log. */
  async coordinatorId(group: string): Promise<number> {
    let found = -1;
    await until(`${group} has a coordinator`, async () => {
      const located = await this.any.call(findCoordinator, 3, { keyType: 0, key: group });
      if (located.errorCode !== 0) return false;
      found = located.nodeId;
      const asked = { groupId: group, topics: [] };
      const answer = await (await this.node(found)).call(offsetFetch, 7, asked);
      return answer.errorCode === 0;
    });
    return found;
  }

  async coordinator(group: string): Promise<WireConnection> {
    return this.node(await this.coordinatorId(group));
  }

  /** Appends one batch and returns the answer of its partition. */
  async produce(
    topic: string,
    batch: Buffer | null,
    { partition = 0, acks = -1, version = 9 } = {},
  ) {
    const { topics } = await (
      await this.leader(topic, partition)
    ).call(produce, version, {
      acks,
      timeoutMs: DEADLINE_MS,
      topics: [{ name: topic, partitions: [{ index: partition, records: batch }] }],
    });
    const answer = topics[0]?.partitions[0];
    if (answer === undefined) throw new Error("Produce answered no partition");
    return { ...answer, error: errorName(answer) };
  }

  /** Reads one partition and returns its answer. */
  async fetch(topic: string, fetchOffset: bigint, options: FetchOptions = {}) {
    const { partition = 0, version = 11, maxWaitMs = 0, minBytes = 1 } = options;
    const { partitionBytesMax = 1_048_576, maxBytes = 52_428_800, leaderEpoch = -1 } = options;
    const named = version >= 13 ? { id: await this.topicId(topic) } : { name: topic };
    const asked = {
      index: partition,
      fetchOffset,
      bytesMax: partitionBytesMax,
      currentLeaderEpoch: leaderEpoch,
    };
    const { topics, errorCode } = await (
      await this.leader(topic, partition)
    ).call(fetch, version, {
      replicaId: -1,
      maxWaitMs,
      minBytes,
      maxBytes,
      topics: [{ ...named, partitions: [asked] }],
    });
    const answer = topics[0]?.partitions[0];
    if (answer === undefined) throw new Error(`Fetch answered no partition, error ${errorCode}`);
    return { ...answer, records: answer.records ?? Buffer.alloc(0), error: errorName(answer) };
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.any.call(deleteTopics, 4, { names: [topic], timeoutMs: DEADLINE_MS });
  }

  /** Deletes all records and returns the low watermark, which is the end of the log. */
  async deleteAllRecords(topic: string): Promise<bigint> {
    const { topics } = await (
      await this.leader(topic)
    ).call(deleteRecords, 1, {
      topics: [{ name: topic, partitions: [{ index: 0, offset: -1n }] }],
      timeoutMs: DEADLINE_MS,
    });
    const answer = topics[0]?.partitions[0];
    if (answer?.errorCode !== 0) throw new Error(`DeleteRecords ${errorName(answer)}`);
    return answer.lowWatermark;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#topics.length > 0) {
        await this.any.call(deleteTopics, 4, { names: this.#topics, timeoutMs: DEADLINE_MS });
      }
      for (const group of this.#groups) {
        await (await this.coordinator(group)).call(deleteGroups, 1, { groups: [group] });
      }
    } finally {
      for (const connection of this.#opened) connection[Symbol.dispose]();
      await this.broker[Symbol.asyncDispose]();
    }
  }

  async #endpoint(node: number) {
    const { brokers } = await this.any.call(metadata, 9, { topics: [] });
    const found = brokers.find(({ nodeId }) => nodeId === node);
    if (found === undefined) throw new Error(`no node ${node}`);
    return found;
  }
}

interface FetchOptions {
  readonly partition?: number;
  readonly version?: number;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly partitionBytesMax?: number;
  readonly leaderEpoch?: number;
}

const NAMES = new Map(Object.values(protocolErrors).map(({ code, id }) => [code, id]));

/** Returns the name of an answer's error in Apache Kafka's table, `NONE` for 0. */
export function errorName(answer: { readonly errorCode: number } | undefined): string {
  if (answer === undefined) return "no answer";
  if (answer.errorCode === 0) return "NONE";
  return NAMES.get(answer.errorCode) ?? `error ${answer.errorCode}`;
}

/** Polls every few milliseconds. Throws after 20 seconds. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !(await condition()); await sleep(POLL_MS)) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
  }
}
