import { array, int16, int32, nullableString, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { aclCreation, readCreation } from "./acl-wire.ts";
import { clusterAccessRefusal } from "./authorization.ts";
import { defineApi } from "./define.ts";

export const createAcls = defineApi({
  key: 30,
  name: "CreateAcls",
  versions: [0, 3],
  flexibleFrom: 2,
  request: struct({ creations: array(aclCreation) }),
  response: struct({
    throttleTimeMs: int32,
    results: array(struct({ errorCode: int16, errorMessage: nullableString })),
  }),
  handle({ creations }, context) {
    const refusal = clusterAccessRefusal(context, "ALTER");
    if (refusal !== undefined) return failed(creations.length, errorCode(refusal));
    const results = creations.map((creation) => {
      const acl = readCreation(creation);
      if (typeof acl === "string") {
        return { errorCode: errorCode("INVALID_REQUEST"), errorMessage: acl };
      }
      context.cluster.acls.add(acl);
      return { errorCode: 0, errorMessage: null };
    });
    return { throttleTimeMs: 0, results };
  },
  refuse: ({ creations }, error) => failed(creations.length, error),
});

function failed(count: number, error: number) {
  const results = Array.from({ length: count }, () => ({ errorCode: error, errorMessage: null }));
  return { throttleTimeMs: 0, results };
}
