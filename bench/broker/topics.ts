import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs from "kafkajs";
import type { Admin, Kafka } from "kafkajs";
import { metadata } from "#simulator/kafka/apis/03-metadata.ts";
import { WireConnection } from "#simulator/kafka/parity/wire-connection.ts";
import type { WireAddress } from "#simulator/kafka/parity/wire-connection.ts";

/**
 * The number of partitions of every topic: the mock broker gives each topic this number and cannot
 * be told otherwise.
 */
export const PARTITIONS = 4;

export interface TopicsOptions {
  readonly bootstrap: string;
  /** The number of topics. */
  readonly topics: number;
  /** False when topics are created by a Metadata request and never deleted. */
  readonly hasTopicAdministration: boolean;
}

export interface Topics {
  /** A name that nothing else has used, for a group. */
  readonly name: string;
  readonly topics: string[];
  /** Deletes the topics, and the group of this name where there is one. */
  readonly deleteTopics: () => Promise<void>;
}

export function clientOf(bootstrap: string): Kafka {
  return new kafkajs.Kafka({
    brokers: [bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    requestTimeout: 60_000,
  });
}

export function freshName(): string {
  return `bench-${randomBytes(6).toString("hex")}`;
}

export async function makeTopics(client: Kafka, options: TopicsOptions): Promise<Topics> {
  const { bootstrap } = options;
  const name = freshName();
  const topics = Array.from({ length: options.topics }, (_, index) => `${name}-${index}`);
  const admin = client.admin();
  await admin.connect();
  if (options.hasTopicAdministration) await createTopics(admin, topics);
  else await askForTopics(bootstrap, topics);
  return {
    name,
    topics,
    deleteTopics: async () => {
      if (options.hasTopicAdministration) await admin.deleteTopics({ topics });
      await admin.disconnect();
    },
  };
}

/**
 * Returns when every partition has its leader. Apache Kafka elects leaders after it has answered;
 * kafkajs would then wait a third of a second before it sends again, and send twice what some
 * partitions had taken.
 */
async function createTopics(admin: Admin, topics: readonly string[]): Promise<void> {
  await admin.createTopics({
    waitForLeaders: false,
    topics: topics.map((topic) => {
      return { topic, numPartitions: PARTITIONS, replicationFactor: 1 };
    }),
  });
  for (const topic of topics) {
    // Offsets are asked of the leaders.
    while (!(await hasOffsets(admin, topic))) await sleep(20);
  }
}

function hasOffsets(admin: Admin, topic: string): Promise<boolean> {
  return admin.fetchTopicOffsets(topic).then(
    () => true,
    () => false,
  );
}

/**
 * Creates topics by a Metadata request that allows it. kafkajs offers that for its producers only.
 */
async function askForTopics(bootstrap: string, topics: readonly string[]): Promise<void> {
  using connection = await WireConnection.open(firstNodeOf(bootstrap));
  await connection.call(metadata, 6, {
    topics: topics.map((name) => ({ name })),
    allowAutoTopicCreation: true,
  });
}

/** Returns the address of the first node. */
export function firstNodeOf(bootstrap: string): WireAddress {
  const [host = "", port = ""] = bootstrap.split(",")[0]?.split(":") ?? [];
  return { host, port: Number(port) };
}
