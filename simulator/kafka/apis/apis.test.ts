import * as platformatic from "@platformatic/kafka";
import { describe, expect, test } from "vitest";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { ACL, CASES } from "./testing/cases.ts";
import type { Case, Prepared } from "./testing/prepared.ts";
import { clientCall, versionsOf } from "./testing/client-calls.ts";
import type { Api } from "./define.ts";
import { ExchangeConnection } from "./testing/exchange.ts";
import { prepare } from "./testing/prepared.ts";
import { apis } from "./registry.ts";

describe.each([...apis.values()])("$name", (api) => {
  test.each(versionsOf(api))(
    "version %i matches what @platformatic/kafka sends and reads",
    async (version) => {
      const prepared = await prepare();
      const { args, expected, before } = caseOf(api, prepared, version);
      const connection = new ExchangeConnection(prepared.cluster);
      await before?.(connection);
      const answer = await clientCall(api, version)(connection, ...args);
      expect(answer).toMatchObject(expected);
      const { flexible } = api.format(version);
      expect(connection.exchanges.at(-1)).toMatchObject({
        unread: { request: 0, response: 0 },
        taggedHeaders: {
          request: flexible,
          response: flexible && api.plainResponseHeader !== true,
        },
      });
    },
  );

  test.each(versionsOf(api))("version %i can report any error", async (version) => {
    const prepared = await prepare();
    const { args } = caseOf(api, prepared, version);
    const code = errorCode("NOT_COORDINATOR");
    const connection = new ExchangeConnection(prepared.cluster, async (call) => call.refuse(code));
    const refused = clientCall(api, version)(connection, ...args);
    const error = await refused.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(platformatic.ResponseError);
    expect(error).toHaveProperty("errors.0.apiId", "NOT_COORDINATOR");
  });
});

/** The answer of each API to a client without any right. An API that serves everybody is absent. */
const REFUSALS: Readonly<Record<string, string>> = {
  Produce: "TOPIC_AUTHORIZATION_FAILED",
  Fetch: "TOPIC_AUTHORIZATION_FAILED",
  ListOffsets: "TOPIC_AUTHORIZATION_FAILED",
  Metadata: "TOPIC_AUTHORIZATION_FAILED",
  OffsetCommit: "GROUP_AUTHORIZATION_FAILED",
  OffsetFetch: "GROUP_AUTHORIZATION_FAILED",
  FindCoordinator: "GROUP_AUTHORIZATION_FAILED",
  JoinGroup: "GROUP_AUTHORIZATION_FAILED",
  Heartbeat: "GROUP_AUTHORIZATION_FAILED",
  LeaveGroup: "GROUP_AUTHORIZATION_FAILED",
  SyncGroup: "GROUP_AUTHORIZATION_FAILED",
  DescribeGroups: "GROUP_AUTHORIZATION_FAILED",
  CreateTopics: "TOPIC_AUTHORIZATION_FAILED",
  DeleteTopics: "TOPIC_AUTHORIZATION_FAILED",
  DeleteRecords: "TOPIC_AUTHORIZATION_FAILED",
  InitProducerId: "CLUSTER_AUTHORIZATION_FAILED",
  OffsetForLeaderEpoch: "TOPIC_AUTHORIZATION_FAILED",
  AddPartitionsToTxn: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  AddOffsetsToTxn: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  EndTxn: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  TxnOffsetCommit: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  DescribeTransactions: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  DescribeConfigs: "TOPIC_AUTHORIZATION_FAILED",
  AlterConfigs: "TOPIC_AUTHORIZATION_FAILED",
  IncrementalAlterConfigs: "TOPIC_AUTHORIZATION_FAILED",
  CreatePartitions: "TOPIC_AUTHORIZATION_FAILED",
  DeleteGroups: "GROUP_AUTHORIZATION_FAILED",
  OffsetDelete: "GROUP_AUTHORIZATION_FAILED",
};

const OPEN_TO_ALL = [
  "SaslHandshake",
  "ApiVersions",
  "SaslAuthenticate",
  "DescribeCluster",
  "ListGroups",
  "ListTransactions",
];

test("every API is open to all or refuses a client without rights", () => {
  const names = [...apis.values()].map(({ name }) => name);
  expect([...Object.keys(REFUSALS), ...OPEN_TO_ALL].toSorted()).toEqual(names.toSorted());
});

describe.each([...apis.values()].filter(({ name }) => name in REFUSALS))(
  "$name of a client without any right",
  (api) => {
    test.each(versionsOf(api))("version %i is refused", async (version) => {
      const prepared = await prepare();
      const { args } = caseOf(api, prepared, version);
      for (const resource of ["TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID"] as const) {
        prepared.cluster.authorizer.add({ ...ACL, resource, name: "*", host: "*", ...EVERYBODY });
      }
      const connection = new ExchangeConnection(prepared.cluster);
      await expect(clientCall(api, version)(connection, ...args)).rejects.toHaveProperty(
        "errors.0.apiId",
        REFUSALS[api.name],
      );
    });
  },
);

const EVERYBODY = { principal: "User:*", operation: "ALL" } as const;

function caseOf(api: Api, prepared: Prepared, version: number): Case {
  const make = CASES[api.name];
  if (make === undefined) throw new Error(`no case for ${api.name}`);
  return make(prepared, version);
}
