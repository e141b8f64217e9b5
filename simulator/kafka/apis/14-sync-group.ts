import { syncError } from "#simulator/kafka/groups/member.ts";
import type { SyncResult } from "#simulator/kafka/groups/member.ts";
import {
  array,
  bytes,
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

/** The first version that names the protocol. */
const NAMED_PROTOCOL = 5;

export const syncGroup = defineApi({
  key: 14,
  name: "SyncGroup",
  versions: [0, 5],
  flexibleFrom: 4,
  request: struct({
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: since(3, nullableString, null),
    protocolType: since(5, nullableString, null),
    protocolName: since(5, nullableString, null),
    assignments: array(struct({ memberId: string, assignment: bytes })),
  }),
  response: struct({
    throttleTimeMs: since(1, int32, 0),
    errorCode: int16,
    protocolType: since(5, nullableString, null),
    protocolName: since(5, nullableString, null),
    assignment: bytes,
  }),
  scope: ({ groupId }) => ({ groups: [groupId] }),
  async handle(asked, context) {
    const { version } = context;
    const refusal = groupRefusal(context, asked.groupId);
    const group = context.cluster.groups.get(asked.groupId);
    if (refusal !== undefined || group === undefined) {
      return answer(syncError("UNKNOWN_MEMBER_ID"), errorCode(refusal ?? "UNKNOWN_MEMBER_ID"));
    }
    const result = await group.sync({
      memberId: asked.memberId,
      instanceId: asked.groupInstanceId,
      generation: asked.generationId,
      // Versions that have these fields require them (KIP-559). No group has empty ones, so an
      // empty text is refused.
      protocolType: version >= NAMED_PROTOCOL ? (asked.protocolType ?? "") : null,
      protocolName: version >= NAMED_PROTOCOL ? (asked.protocolName ?? "") : null,
      assignments: asked.assignments,
    });
    return answer(result, errorCode(result.error));
  },
  refuse: (_request, error) => answer(syncError("UNKNOWN_SERVER_ERROR"), error),
});

function answer({ protocolType, protocolName, assignment }: SyncResult, code: number) {
  return { errorCode: code, protocolType, protocolName, assignment };
}
