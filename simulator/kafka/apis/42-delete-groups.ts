import { array, int16, int32, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { offsetsRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";
import type { RequestContext } from "./define.ts";

export const deleteGroups = defineApi({
  key: 42,
  name: "DeleteGroups",
  versions: [0, 2],
  flexibleFrom: 2,
  request: struct({ groups: array(string) }),
  response: struct({
    throttleTimeMs: int32,
    results: array(struct({ groupId: string, errorCode: int16 })),
  }),
  scope: ({ groups }) => ({ groups }),
  handle: ({ groups }, context) => ({
    throttleTimeMs: 0,
    results: groups.map((groupId) => ({ groupId, errorCode: errorCode(remove(groupId, context)) })),
  }),
  refuse: ({ groups }, error) => ({
    throttleTimeMs: 0,
    results: groups.map((groupId) => ({ groupId, errorCode: error })),
  }),
});

function remove(groupId: string, context: RequestContext): ErrorName {
  const refusal = offsetsRefusal(context, groupId, "DELETE");
  if (refusal !== undefined) return refusal;
  const group = context.cluster.groups.get(groupId);
  if (group === undefined) return "GROUP_ID_NOT_FOUND";
  if (group.state !== "Empty") return "NON_EMPTY_GROUP";
  context.cluster.groups.delete(group);
  return "NONE";
}
