import {
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

export const heartbeat = defineApi({
  key: 12,
  name: "Heartbeat",
  versions: [0, 4],
  flexibleFrom: 4,
  request: struct({
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: since(3, nullableString, null),
  }),
  response: struct({ throttleTimeMs: since(1, int32, 0), errorCode: int16 }),
  scope: ({ groupId }) => ({ groups: [groupId] }),
  handle({ groupId, memberId, groupInstanceId, generationId }, context) {
    const group = context.cluster.groups.get(groupId);
    const error =
      groupRefusal(context, groupId) ??
      group?.heartbeat(memberId, groupInstanceId, generationId) ??
      "UNKNOWN_MEMBER_ID";
    return { errorCode: errorCode(error) };
  },
  refuse: (_request, error) => ({ errorCode: error }),
});
