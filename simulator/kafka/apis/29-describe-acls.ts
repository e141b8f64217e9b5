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

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: nullableString,
  resources: array(
    struct({
      resourceType: int8,
      resourceName: string,
      patternType: since(1, int8, LITERAL),
      acls: array(struct({ principal: string, host: string, operation: int8, permission: int8 })),
    }),
  ),
});

export const describeAcls = defineApi({
  key: 29,
  name: "DescribeAcls",
  versions: [0, 3],
  flexibleFrom: 2,
  request: aclFilter,
  response,
  handle(asked, context) {
    const refusal = clusterAccessRefusal(context, "DESCRIBE");
    if (refusal !== undefined) return failed(errorCode(refusal), "Cluster authorization failed.");
    const filter = readFilter(asked);
    if (filter === undefined) return failed(errorCode("INVALID_REQUEST"), "Unknown filter.");
    const found = context.cluster.acls.find(filter).map((acl) => writeAcl(acl));
    const byResource = Map.groupBy(found, ({ resourceType, patternType, resourceName }) => {
      return `${resourceType} ${patternType} ${resourceName}`;
    });
    const resources = [...byResource.values()].flatMap((acls) => {
      const [first] = acls;
      return first === undefined ? [] : [{ ...resourceOf(first), acls }];
    });
    return { throttleTimeMs: 0, errorCode: 0, errorMessage: null, resources };
  },
  refuse: (_request, error) => failed(error, null),
});

function resourceOf({ resourceType, resourceName, patternType }: ReturnType<typeof writeAcl>) {
  return { resourceType, resourceName, patternType };
}

function failed(error: number, errorMessage: string | null) {
  return { throttleTimeMs: 0, errorCode: error, errorMessage, resources: [] };
}
