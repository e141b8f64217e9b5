import {
  array,
  between,
  int16,
  int32,
  int8,
  nullableString,
  since,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { accessRefusal } from "./authorization.ts";
import { defineApi } from "./define.ts";
import type { RequestContext } from "./define.ts";

const GROUP = 0;
const TRANSACTION = 1;
/** The first version in which one request may ask for several keys. */
const SEVERAL_KEYS = 4;

const request = struct({
  key: between(0, 3, string, ""),
  keyType: since(1, int8, GROUP),
  keys: since(4, array(string), []),
});

const response = struct({
  throttleTimeMs: since(1, int32, 0),
  errorCode: between(0, 3, int16, 0),
  errorMessage: between(1, 3, nullableString, null),
  nodeId: between(0, 3, int32, -1),
  host: between(0, 3, string, ""),
  port: between(0, 3, int32, -1),
  coordinators: since(
    4,
    array(
      struct({
        key: string,
        nodeId: int32,
        host: string,
        port: int32,
        errorCode: int16,
        errorMessage: nullableString,
      }),
    ),
    [],
  ),
});

export const findCoordinator = defineApi({
  key: 10,
  name: "FindCoordinator",
  versions: [0, 5],
  flexibleFrom: 3,
  request,
  response,
  scope: ({ key, keys, keyType }) => {
    return keyType === GROUP ? { groups: keys.length > 0 ? keys : [key] } : {};
  },
  handle({ key, keys, keyType }, context) {
    if (context.version < SEVERAL_KEYS) return locate(key, keyType, context);
    return { coordinators: keys.map((one) => ({ key: one, ...locate(one, keyType, context) })) };
  },
  refuse: ({ keys }, error) => ({
    ...nowhere(error),
    coordinators: keys.map((key) => ({ key, ...nowhere(error) })),
  }),
});

function locate(key: string, keyType: number, context: RequestContext) {
  const { cluster, listener } = context;
  // Share groups (KIP-932) are not served.
  if (keyType !== GROUP && keyType !== TRANSACTION) return refusal("INVALID_REQUEST");
  const isGroup = keyType === GROUP;
  const access = accessRefusal(context, "DESCRIBE", isGroup ? "GROUP" : "TRANSACTIONAL_ID", key);
  if (access !== undefined) return refusal(access);
  const nodeId = cluster.coordinatorOf(key, isGroup ? "group" : "transaction");
  const endpoint = cluster.nodes.find((node) => node.id === nodeId)?.endpoint(listener);
  if (endpoint === undefined) return refusal("COORDINATOR_NOT_AVAILABLE");
  return { nodeId, ...endpoint, errorCode: 0, errorMessage: null };
}

function refusal(error: ErrorName) {
  return nowhere(errorCode(error));
}

function nowhere(error: number) {
  return { nodeId: -1, host: "", port: -1, errorCode: error, errorMessage: null };
}
