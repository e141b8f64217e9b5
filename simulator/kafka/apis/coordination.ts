import type { Operation } from "#simulator/kafka/security/acl-entry.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { accessRefusal } from "./authorization.ts";
import type { RequestContext } from "./define.ts";

/**
 * Returns the reason why this client may not join the group here: the errors of `offsetsRefusal`,
 * and INVALID_GROUP_ID without an id.
 */
export function groupRefusal(
  context: RequestContext,
  group: string,
  operation: Operation = "READ",
): ErrorName | undefined {
  const refusal = accessRefusal(context, operation, "GROUP", group);
  if (refusal !== undefined) return refusal;
  return group === "" ? "INVALID_GROUP_ID" : placeRefusal(context, group, "group");
}

/**
 * Returns the reason why this client may not do `operation` to the group here:
 * GROUP_AUTHORIZATION_FAILED, or NOT_COORDINATOR when another node coordinates it. The group
 * without an id has no members, and has offsets like any other (old clients commit for it).
 */
export function offsetsRefusal(
  context: RequestContext,
  group: string,
  operation: Operation = "READ",
): ErrorName | undefined {
  return accessRefusal(context, operation, "GROUP", group) ?? placeRefusal(context, group, "group");
}

/**
 * The first version of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn that knows PRODUCER_FENCED.
 */
const FENCED_VERSION_MIN = 2;

/**
 * Returns the reason why this client may not do `operation` to the transactional id here. The
 * coordinator handles an empty id.
 */
export function transactionRefusal(
  context: RequestContext,
  id: string,
  operation: Operation = "WRITE",
): ErrorName | undefined {
  const refusal = accessRefusal(context, operation, "TRANSACTIONAL_ID", id);
  if (refusal !== undefined || id === "") return refusal;
  return placeRefusal(context, id, "transaction");
}

function placeRefusal(
  { cluster, node }: RequestContext,
  id: string,
  kind: "group" | "transaction",
): ErrorName | undefined {
  return cluster.coordinatorOf(id, kind) === node ? undefined : "NOT_COORDINATOR";
}

/** Returns the error as this version knows it. */
export function transactionError(error: ErrorName, version: number): ErrorName {
  const isUnknown = error === "PRODUCER_FENCED" && version < FENCED_VERSION_MIN;
  return isUnknown ? "INVALID_PRODUCER_EPOCH" : error;
}
