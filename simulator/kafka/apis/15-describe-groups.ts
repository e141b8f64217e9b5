import type { Group } from "#simulator/kafka/groups/group.ts";
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
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { authorizedOperations } from "./authorization.ts";
import { offsetsRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";

export const describeGroups = defineApi({
  key: 15,
  name: "DescribeGroups",
  versions: [0, 5],
  flexibleFrom: 5,
  request: struct({
    groups: array(string),
    includeAuthorizedOperations: since(3, boolean, false),
  }),
  response: struct({
    throttleTimeMs: since(1, int32, 0),
    groups: array(
      struct({
        errorCode: int16,
        groupId: string,
        groupState: string,
        protocolType: string,
        protocolData: string,
        members: array(
          struct({
            memberId: string,
            groupInstanceId: since(4, nullableString, null),
            clientId: string,
            clientHost: string,
            memberMetadata: bytes,
            memberAssignment: bytes,
          }),
        ),
        authorizedOperations: since(3, int32, -2_147_483_648),
      }),
    ),
  }),
  scope: ({ groups }) => ({ groups }),
  handle({ groups, includeAuthorizedOperations }, context) {
    return {
      groups: groups.map((groupId) => {
        const refusal = offsetsRefusal(context, groupId, "DESCRIBE");
        if (refusal !== undefined) return unknown(groupId, "", errorCode(refusal));
        const group = context.cluster.groups.get(groupId);
        // A group that does not exist is dead. That is no error.
        const described = group === undefined ? unknown(groupId, "Dead", 0) : describe(group);
        const isAsked = includeAuthorizedOperations;
        const operations = authorizedOperations(context, isAsked, "GROUP", groupId);
        return { ...described, authorizedOperations: operations };
      }),
    };
  },
  refuse: ({ groups }, error) => ({
    groups: groups.map((groupId) => unknown(groupId, "", error)),
  }),
});

function unknown(groupId: string, groupState: string, error: number) {
  return {
    errorCode: error,
    groupId,
    groupState,
    protocolType: "",
    protocolData: "",
    members: [],
  };
}

function describe(group: Group) {
  const isStable = group.state === "Stable";
  return {
    errorCode: 0,
    groupId: group.id,
    groupState: group.state,
    protocolType: group.protocolType ?? "",
    protocolData: isStable ? (group.protocolName ?? "") : "",
    members: group.members.map((member) => {
      const chosen = member.protocols.find((protocol) => protocol.name === group.protocolName);
      return {
        memberId: member.id,
        groupInstanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        memberMetadata: (isStable ? chosen?.metadata : undefined) ?? Buffer.alloc(0),
        memberAssignment: member.assignment,
      };
    }),
  };
}
