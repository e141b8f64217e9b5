import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import { joinError } from "#simulator/kafka/groups/member.ts";
import type { JoinResult } from "#simulator/kafka/groups/member.ts";
import {
  array,
  boolean,
  bytes,
  int16,
  int32,
  nullableString,
  since,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { groupRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";

/** The first version that makes new members come back with their id (KIP-394). */
const MEMBER_ID_REQUIRED = 4;
/** The first version in which the name of the protocol may be null. */
const NULLABLE_PROTOCOL = 7;
/** The first version that knows skipAssignment (KIP-814). */
const SKIP_ASSIGNMENT = 9;

const request = struct({
  groupId: string,
  sessionTimeoutMs: int32,
  rebalanceTimeoutMs: since(1, int32, -1),
  memberId: string,
  groupInstanceId: since(5, nullableString, null),
  protocolType: string,
  protocols: array(struct({ name: string, metadata: bytes })),
  reason: since(8, nullableString, null),
});

const response = struct({
  throttleTimeMs: since(2, int32, 0),
  errorCode: int16,
  generationId: int32,
  protocolType: since(7, nullableString, null),
  protocolName: nullableString,
  leader: string,
  skipAssignment: since(9, boolean, false),
  memberId: string,
  members: array(
    struct({
      memberId: string,
      groupInstanceId: since(5, nullableString, null),
      metadata: bytes,
    }),
  ),
});

export const joinGroup = defineApi({
  key: 11,
  name: "JoinGroup",
  versions: [0, 9],
  flexibleFrom: 6,
  request,
  response,
  scope: ({ groupId }) => ({ groups: [groupId] }),
  async handle(asked, context) {
    const { cluster, version, clientId, clientHost } = context;
    const refusal = groupRefusal(context, asked.groupId) ?? joinRefusal(asked, cluster);
    if (refusal !== undefined) {
      return answer(joinError(refusal, asked.memberId), errorCode(refusal), version);
    }
    const { sessionTimeoutMs, rebalanceTimeoutMs } = asked;
    const result = await cluster.groups.getOrCreate(asked.groupId).join({
      memberId: asked.memberId,
      instanceId: asked.groupInstanceId,
      clientId,
      clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? sessionTimeoutMs : rebalanceTimeoutMs,
      protocolType: asked.protocolType,
      // The metadata is copied: the request's buffer must not live as long as the member.
      protocols: asked.protocols.map(({ name, metadata }) => ({
        name,
        metadata: Buffer.from(metadata),
      })),
      requireMemberId: version >= MEMBER_ID_REQUIRED,
      canSkipAssignment: version >= SKIP_ASSIGNMENT,
    });
    return answer(result, errorCode(result.error), version);
  },
  refuse: ({ memberId }, error, version) => {
    return answer(joinError("UNKNOWN_SERVER_ERROR", memberId), error, version);
  },
});

function joinRefusal(asked: Decoded<typeof request>, cluster: ClusterState): ErrorName | undefined {
  const { sessionTimeoutMsMin, sessionTimeoutMsMax } = cluster.groups.limits;
  const { sessionTimeoutMs } = asked;
  if (sessionTimeoutMs < sessionTimeoutMsMin || sessionTimeoutMs > sessionTimeoutMsMax) {
    return "INVALID_SESSION_TIMEOUT";
  }
  const isKnown = cluster.groups.get(asked.groupId) !== undefined;
  return asked.memberId !== "" && !isKnown ? "UNKNOWN_MEMBER_ID" : undefined;
}

function answer(result: JoinResult, code: number, version: number) {
  return {
    errorCode: code,
    generationId: result.generation,
    protocolType: result.protocolType,
    protocolName: result.protocolName ?? (version < NULLABLE_PROTOCOL ? "" : null),
    leader: result.leaderId,
    skipAssignment: result.skipAssignment,
    memberId: result.memberId,
    members: result.members.map(({ memberId, instanceId, metadata }) => ({
      memberId,
      groupInstanceId: instanceId,
      metadata,
    })),
  };
}
