import {
  array,
  int16,
  int32,
  int8,
  nullableString,
  since,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { aclFilter, readFilter, writeAcl } from "./acl-wire.ts";
import { clusterAccessRefusal } from "./authorization.ts";
import { defineApi } from "./define.ts";

const LITERAL = 3;

const matchingAcl = struct({
  errorCode: int16,
  errorMessage: nullableString,
  resourceType: int8,
  resourceName: string,
  patternType: since(1, int8, LITERAL),
  principal: string,
  host: string,
  operation: int8,
  permission: int8,
});

export const deleteAcls = defineApi({
  key: 31,
  name: "DeleteAcls",
  versions: [0, 3],
  flexibleFrom: 2,
  request: struct({ filters: array(aclFilter) }),
  response: struct({
    throttleTimeMs: int32,
    filterResults: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        matchingAcls: array(matchingAcl),
      }),
    ),
  }),
  handle({ filters }, context) {
    const refusal = clusterAccessRefusal(context, "ALTER");
    if (refusal !== undefined) return failed(filters.length, errorCode(refusal));
    const filterResults = filters.map((asked) => {
      const filter = readFilter(asked);
      if (filter === undefined) return filterFailed(errorCode("INVALID_REQUEST"));
      const matchingAcls = context.cluster.acls.delete(filter).map((acl) => {
        return Object.assign(writeAcl(acl), { errorCode: 0, errorMessage: null });
      });
      return { errorCode: 0, errorMessage: null, matchingAcls };
    });
    return { throttleTimeMs: 0, filterResults };
  },
  refuse: ({ filters }, error) => failed(filters.length, error),
});

function failed(count: number, error: number) {
  const filterResults = Array.from({ length: count }, () => filterFailed(error));
  return { throttleTimeMs: 0, filterResults };
}

function filterFailed(error: number) {
  return { errorCode: error, errorMessage: null, matchingAcls: [] };
}
