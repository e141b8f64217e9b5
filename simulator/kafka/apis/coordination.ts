import type { Operation } from "../security/acl.ts";
import type { ErrorName } from "../wire/errors.ts";
import { accessRefusal, topicAccessRefusal } from "./authorization.ts";
import type { RequestContext } from "./define.ts";

/** Why this client may not join the group here: as `offsetsRefusal`, and INVALID_GROUP_ID without an id. */
export function groupRefusal(
  context: RequestContext,
  group: string,
  operation: Operation = "READ",
): ErrorName | undefined {
  const refusal = accessRefusal(context, operation, "GROUP", group);
  if (refusal !== undefined) return refusal;
  return group === "" ? "INVALID_GROUP_ID" : offsetsRefusal(context, group, operation);
}

/**
 * Why this client may not do `operation` to the group here: GROUP_AUTHORIZATION_FAILED, NOT_COORDINATOR when another
 * node coordinates it. Without an id the group has no members, and offsets as any other (old clients commit for it).
 */
export function offsetsRefusal(
  context: RequestContext,
  group: string,
  operation: Operation = "READ",
): ErrorName | undefined {
  const refusal = accessRefusal(context, operation, "GROUP", group);
  if (refusal !== undefined) return refusal;
  const coordinator = context.cluster.coordinatorOf(group);
  return coordinator === context.node ? undefined : "NOT_COORDINATOR";
}

/** `offset.metadata.max.bytes`. */
const METADATA_BYTES_MAX = 4096;

export function isMetadataTooLarge(metadata: string | null): boolean {
  return Buffer.byteLength(metadata ?? "") > METADATA_BYTES_MAX;
}

/** Why the position of no group can be set in this partition. */
export function committedTopicRefusal(
  context: RequestContext,
  topic: string,
  index: number,
): ErrorName | undefined {
  const refusal = topicAccessRefusal(context, "READ", topic);
  if (refusal !== undefined) return refusal;
  const isKnown = context.cluster.topics.partition(topic, index) !== undefined;
  return isKnown ? undefined : "UNKNOWN_TOPIC_OR_PARTITION";
}

/** First version of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn that knows PRODUCER_FENCED. */
const FENCED_VERSION_MIN = 2;

/** Why this client may not do `operation` to the transactional id here; an empty id is left to its coordinator. */
export function transactionRefusal(
  context: RequestContext,
  id: string,
  operation: Operation = "WRITE",
): ErrorName | undefined {
  const refusal = accessRefusal(context, operation, "TRANSACTIONAL_ID", id);
  if (refusal !== undefined || id === "") return refusal;
  const coordinator = context.cluster.coordinatorOf(id, "transaction");
  return coordinator === context.node ? undefined : "NOT_COORDINATOR";
}

/** The error in the words that this version knows. */
export function transactionError(error: ErrorName, version: number): ErrorName {
  const isUnknown = error === "PRODUCER_FENCED" && version < FENCED_VERSION_MIN;
  return isUnknown ? "INVALID_PRODUCER_EPOCH" : error;
}
