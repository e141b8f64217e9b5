import * as platformatic from "@platformatic/kafka";
import { expect } from "vitest";
import { GROUP, protocols, record, TOPIC } from "./prepared.ts";
import type { Case, Prepared } from "./prepared.ts";
import { apis } from "#simulator/kafka/apis/registry.ts";
import { TRANSACTION_CASES } from "./transaction-cases.ts";

/**
 * An entry by which nobody may alter the topic. It leaves everything that the other requests do.
 */
export const ACL = {
  resource: "TOPIC",
  name: TOPIC,
  pattern: "LITERAL",
  principal: "User:u",
  host: "127.0.0.1",
  operation: "ALTER",
  permission: "DENY",
} as const;

/** A request and the expected parts of its answer, for each API by name. */
export const CASES: Readonly<Record<string, (prepared: Prepared, version: number) => Case>> = {
  ...TRANSACTION_CASES,
  Produce: () => ({
    args: [-1, 1000, [{ ...record }], {}],
    expected: {
      responses: [
        { name: TOPIC, partitionResponses: [{ index: 0, errorCode: 0, baseOffset: 1n }] },
      ],
    },
  }),
  Fetch: ({ topicId }, version) => {
    const partition = {
      partition: 0,
      currentLeaderEpoch: 0,
      fetchOffset: 0n,
      lastFetchedEpoch: -1,
      partitionMaxBytes: 1000,
    };
    // The client puts the name into the same field before version 13.
    const id = version >= 13 ? topicId : TOPIC;
    const forgotten = [{ topicId: id, partitions: [1] }];
    const topics = [{ topicId: id, partitions: [partition] }];
    return {
      args: [0, 1, 1000, 0, 0, -1, topics, version >= 7 ? forgotten : [], "rack"],
      expected: {
        errorCode: 0,
        responses: [
          {
            partitions: [
              {
                errorCode: 0,
                highWatermark: 1n,
                records: [{ firstOffset: 0n, records: [{ key: record.key, value: record.value }] }],
              },
            ],
          },
        ],
      },
    };
  },
  ListOffsets: () => ({
    args: [
      -1,
      0,
      [
        { name: TOPIC, partitions: [{ partitionIndex: 0, currentLeaderEpoch: 0, timestamp: -1n }] },
        { name: TOPIC, partitions: [{ partitionIndex: 0, currentLeaderEpoch: 0, timestamp: 5n }] },
      ],
    ],
    expected: {
      topics: [
        { name: TOPIC, partitions: [{ partitionIndex: 0, errorCode: 0, offset: 1n }] },
        { name: TOPIC, partitions: [{ offset: 0n, timestamp: 1000n }] },
      ],
    },
  }),
  Metadata: () => ({
    args: [[TOPIC], true, false],
    expected: {
      brokers: [{ nodeId: 1, host: "127.0.0.1", port: 9092 }],
      topics: [{ name: TOPIC, errorCode: 0, partitions: [{ leaderId: 1 }, { leaderId: 1 }] }],
    },
  }),
  OffsetCommit: ({ memberId }) => ({
    args: [
      GROUP,
      1,
      memberId,
      null,
      [
        {
          name: TOPIC,
          partitions: [
            {
              partitionIndex: 0,
              committedOffset: 1n,
              committedLeaderEpoch: 0,
              committedMetadata: "",
            },
          ],
        },
      ],
    ],
    expected: { topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, errorCode: 0 }] }] },
  }),
  OffsetFetch: (_prepared, version) => {
    const topics = [{ name: TOPIC, partitionIndexes: [1, 0] }];
    const partitions = [
      { partitionIndex: 1, committedOffset: 7n, metadata: "m", errorCode: 0 },
      { partitionIndex: 0, committedOffset: -1n },
    ];
    const answered = { topics: [{ name: TOPIC, partitions }] };
    return {
      args: [[{ groupId: GROUP, memberId: null, memberEpoch: -1, topics }], false],
      expected: version >= 8 ? { groups: [{ groupId: GROUP, ...answered }] } : answered,
    };
  },
  FindCoordinator: () => ({
    args: [0, [GROUP]],
    expected: { coordinators: [{ nodeId: 1, host: "127.0.0.1", port: 9092, errorCode: 0 }] },
  }),
  JoinGroup: ({ memberId }) => ({
    args: [GROUP, 10_000, 20_000, memberId, null, "consumer", protocols, "because"],
    expected: {
      errorCode: 0,
      generationId: 2,
      leader: memberId,
      memberId,
      protocolName: "range",
      members: [{ memberId, metadata: Buffer.from("subscription") }],
    },
  }),
  Heartbeat: ({ memberId }) => ({
    args: [GROUP, 1, memberId, null],
    expected: { errorCode: 0 },
  }),
  LeaveGroup: ({ memberId }) => ({
    args: [GROUP, [{ memberId, groupInstanceId: null, reason: "done" }]],
    expected: { errorCode: 0 },
  }),
  SyncGroup: ({ memberId }) => ({
    args: [GROUP, 1, memberId, null, "consumer", "range", []],
    expected: { errorCode: 0, assignment: Buffer.from("assigned") },
  }),
  DescribeGroups: ({ memberId }) => ({
    args: [[GROUP], true],
    expected: {
      groups: [
        {
          groupId: GROUP,
          groupState: "Stable",
          protocolData: "range",
          members: [expect.objectContaining({ memberId, clientHost: "/127.0.0.1" })],
        },
      ],
    },
  }),
  ListGroups: () => ({
    args: [["Stable"], ["classic"]],
    expected: { errorCode: 0, groups: [{ groupId: GROUP, protocolType: "consumer" }] },
  }),
  SaslHandshake: () => ({
    args: ["PLAIN"],
    expected: { errorCode: 0, mechanisms: ["PLAIN"] },
  }),
  ApiVersions: () => ({
    args: ["kafka-consumer", "1"],
    expected: {
      errorCode: 0,
      apiKeys: [...apis.values()].map(({ key, versions }) => ({
        apiKey: key,
        maxVersion: versions[1],
      })),
    },
  }),
  CreateTopics: () => ({
    args: [
      [
        {
          name: "new",
          numPartitions: 3,
          replicationFactor: 1,
          assignments: [],
          configs: [{ name: "retention.ms", value: "1" }],
        },
      ],
      1000,
      false,
    ],
    expected: { topics: [{ name: "new", errorCode: 0 }] },
  }),
  DeleteTopics: () => ({
    args: [[{ name: TOPIC, topicId: null }], 1000],
    expected: { responses: [{ name: TOPIC, errorCode: 0 }] },
  }),
  DeleteRecords: () => ({
    args: [[{ name: TOPIC, partitions: [{ partitionIndex: 0, offset: 1n }] }], 1000],
    expected: {
      topics: [
        { name: TOPIC, partitions: [{ partitionIndex: 0, lowWatermark: 1n, errorCode: 0 }] },
      ],
    },
  }),
  InitProducerId: () => ({
    args: [null, 1000, -1n, -1],
    expected: { errorCode: 0, producerId: 1001n, producerEpoch: 0 },
  }),
  OffsetForLeaderEpoch: () => ({
    args: [
      -1,
      [{ name: TOPIC, partitions: [{ partitionIndex: 0, currentLeaderEpoch: 0, leaderEpoch: 0 }] }],
    ],
    expected: {
      topics: [
        {
          topic: TOPIC,
          partitions: [{ partition: 0, errorCode: 0, leaderEpoch: 0, endOffset: 1n }],
        },
      ],
    },
  }),
  DescribeConfigs: () => ({
    args: [
      [{ resourceType: 2, resourceName: TOPIC, configurationKeys: ["retention.ms"] }],
      true,
      true,
    ],
    expected: {
      results: [
        {
          errorCode: 0,
          resourceName: TOPIC,
          configs: [{ name: "retention.ms", value: "604800000" }],
        },
      ],
    },
  }),
  AlterConfigs: () => ({
    args: [
      [
        {
          resourceType: 2,
          resourceName: TOPIC,
          configs: [{ name: "retention.ms", value: "5", includeSynonyms: true }],
        },
      ],
      false,
    ],
    expected: {
      responses: [{ errorCode: 0, errorMessage: null, resourceType: 2, resourceName: TOPIC }],
    },
  }),
  IncrementalAlterConfigs: () => ({
    args: [
      [
        {
          resourceType: 2,
          resourceName: TOPIC,
          configs: [{ name: "cleanup.policy", configOperation: 2, value: "compact" }],
        },
      ],
      false,
    ],
    expected: {
      responses: [{ errorCode: 0, errorMessage: null, resourceType: 2, resourceName: TOPIC }],
    },
  }),
  OffsetDelete: () => ({
    args: ["g2", [{ name: TOPIC, partitions: [{ partitionIndex: 0 }] }]],
    before: async (connection) => {
      await platformatic.offsetCommitV7.api.async(connection, "g2", -1, "", null, []);
    },
    expected: { errorCode: 0, topics: [{ name: TOPIC, partitions: [{ errorCode: 0 }] }] },
  }),
  SaslAuthenticate: () => ({
    before: (connection) => platformatic.saslHandshakeV1.api.async(connection, "PLAIN"),
    args: [Buffer.from("\0u\0p")],
    expected: { errorCode: 0, errorMessage: "" },
  }),
  CreatePartitions: () => ({
    args: [[{ name: TOPIC, count: 5, assignments: null }], 1000, false],
    expected: { results: [{ name: TOPIC, errorCode: 0 }] },
  }),
  DeleteGroups: () => ({
    args: [["g2"]],
    before: async (connection) => {
      await platformatic.offsetCommitV7.api.async(connection, "g2", -1, "", null, []);
    },
    expected: { results: [{ groupId: "g2", errorCode: 0 }] },
  }),
  DescribeCluster: () => ({
    args: [false, 1],
    expected: { errorCode: 0, controllerId: 1, brokers: [{ brokerId: 1, port: 9092 }] },
  }),
};
