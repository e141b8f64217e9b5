import * as platformatic from "@platformatic/kafka";
import { expect, test } from "vitest";
import type { AclEntry } from "#simulator/kafka/security/acl-entry.ts";
import { ExchangeConnection } from "./testing/exchange.ts";
import { prepare, TOPIC } from "./testing/prepared.ts";

/** Prepares a client that may do one thing to the cluster, and nothing to its topics. */
async function prepareWith(operation: AclEntry["operation"]) {
  const prepared = await prepare();
  const everybody = { principal: "User:*", host: "*", pattern: "LITERAL" } as const;
  prepared.cluster.authorizer.add({
    ...everybody,
    resource: "TOPIC",
    name: "*",
    operation: "ALL",
    permission: "DENY",
  });
  prepared.cluster.authorizer.add({
    ...everybody,
    resource: "CLUSTER",
    name: "kafka-cluster",
    operation,
    permission: "ALLOW",
  });
  return { ...prepared, connection: new ExchangeConnection(prepared.cluster) };
}

const TOPIC_REFUSED = {
  errors: [expect.objectContaining({ apiId: "TOPIC_AUTHORIZATION_FAILED" })],
};

test("DELETE of the cluster deletes every topic", async () => {
  const remove = platformatic.deleteTopicsV6.api;
  const topics = [{ name: TOPIC, topicId: null }];
  const other = await prepareWith("ALTER");
  await expect(remove.async(other.connection, topics, 1000)).rejects.toMatchObject(TOPIC_REFUSED);
  const { connection, cluster } = await prepareWith("DELETE");
  await remove.async(connection, topics, 1000);
  expect(cluster.topics.get(TOPIC)).toBeUndefined();
});

test("CREATE of the cluster creates every topic", async () => {
  const create = platformatic.createTopicsV4.api;
  const topics = [
    { name: "new", numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
  ];
  const other = await prepareWith("ALTER");
  await expect(create.async(other.connection, topics, 1000, false)).rejects.toMatchObject(
    TOPIC_REFUSED,
  );
  const { connection, cluster } = await prepareWith("CREATE");
  await create.async(connection, topics, 1000, false);
  expect(cluster.topics.get("new")).toBeDefined();
});

test("CLUSTER_ACTION asks for the leader epochs of every topic", async () => {
  const ask = platformatic.offsetForLeaderEpochV3.api;
  const topics = [
    { name: TOPIC, partitions: [{ partitionIndex: 0, currentLeaderEpoch: 0, leaderEpoch: 0 }] },
  ];
  const other = await prepareWith("ALTER");
  await expect(ask.async(other.connection, -1, topics)).rejects.toMatchObject(TOPIC_REFUSED);
  const { connection } = await prepareWith("CLUSTER_ACTION");
  await expect(ask.async(connection, -1, topics)).resolves.toBeDefined();
});

test("the operations on the cluster are shown to clients that may describe it", async () => {
  const describe = platformatic.describeClusterV0.api;
  const hidden = await prepareWith("CREATE");
  await expect(describe.async(hidden.connection, true, 1)).resolves.toMatchObject({
    clusterAuthorizedOperations: 0,
  });
  const { connection } = await prepareWith("DESCRIBE");
  await expect(describe.async(connection, true, 1)).resolves.toMatchObject({
    clusterAuthorizedOperations: 1 << 8,
  });
});
