import {
  array,
  boolean,
  int16,
  int32,
  int8,
  nullableString,
  since,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import { clusterAuthorizedOperations } from "./authorization.ts";
import { defineApi } from "./define.ts";

const BROKERS = 1;
/** Apache Kafka's value for authorized operations that were not asked for or are not known. */
const NOT_SHOWN = -2_147_483_648;

export const describeCluster = defineApi({
  key: 60,
  name: "DescribeCluster",
  versions: [0, 1],
  flexibleFrom: 0,
  request: struct({
    includeClusterAuthorizedOperations: boolean,
    endpointType: since(1, int8, BROKERS),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: nullableString,
    endpointType: since(1, int8, BROKERS),
    clusterId: string,
    controllerId: int32,
    brokers: array(struct({ nodeId: int32, host: string, port: int32, rack: nullableString })),
    clusterAuthorizedOperations: int32,
  }),
  handle: ({ includeClusterAuthorizedOperations: isAsked }, context) => ({
    ...answer(0, context.cluster.id, context.cluster.controllerId),
    clusterAuthorizedOperations: clusterAuthorizedOperations(context, isAsked),
    brokers: context.cluster.nodes
      .filter((node) => node.alive)
      .flatMap((node) => {
        const endpoint = node.endpoint(context.listener);
        return endpoint === undefined ? [] : [{ nodeId: node.id, ...endpoint, rack: null }];
      }),
  }),
  refuse: (_request, error) => ({ ...answer(error, "", -1), brokers: [] }),
});

function answer(error: number, clusterId: string, controllerId: number) {
  return {
    throttleTimeMs: 0,
    errorCode: error,
    errorMessage: null,
    clusterId,
    controllerId,
    clusterAuthorizedOperations: NOT_SHOWN,
  };
}
