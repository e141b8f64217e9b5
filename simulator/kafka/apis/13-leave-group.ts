import {
  array,
  between,
  int16,
  int32,
  nullableString,
  since,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { groupRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";

/** The first version in which several members may leave at once (KIP-345). */
const SEVERAL_MEMBERS = 3;

export const leaveGroup = defineApi({
  key: 13,
  name: "LeaveGroup",
  versions: [0, 5],
  flexibleFrom: 4,
  request: struct({
    groupId: string,
    memberId: between(0, 2, string, ""),
    members: since(
      3,
      array(
        struct({
          memberId: string,
          groupInstanceId: nullableString,
          reason: since(5, nullableString, null),
        }),
      ),
      [],
    ),
  }),
  response: struct({
    throttleTimeMs: since(1, int32, 0),
    errorCode: int16,
    members: since(
      3,
      array(struct({ memberId: string, groupInstanceId: nullableString, errorCode: int16 })),
      [],
    ),
  }),
  scope: ({ groupId }) => ({ groups: [groupId] }),
  handle({ groupId, memberId, members }, context) {
    const refusal = groupRefusal(context, groupId);
    if (refusal !== undefined) return { errorCode: errorCode(refusal) };
    const group = context.cluster.groups.get(groupId);
    const leave = (id: string, instanceId: string | null): number => {
      return errorCode(group?.leave(id, instanceId) ?? "UNKNOWN_MEMBER_ID");
    };
    if (context.version < SEVERAL_MEMBERS) return { errorCode: leave(memberId, null) };
    const left = members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      errorCode: leave(member.memberId, member.groupInstanceId),
    }));
    return { errorCode: 0, members: left };
  },
  refuse: (_request, error) => ({ errorCode: error }),
});
