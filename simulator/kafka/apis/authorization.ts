import { CLUSTER_NAME, OPERATIONS } from "#simulator/kafka/security/acl-entry.ts";
import type { Operation, ResourceType } from "#simulator/kafka/security/acl-entry.ts";
import type { Requester } from "#simulator/kafka/security/authorizer.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import type { RequestContext } from "./define.ts";

/** The value for operations that were not asked for or are not known. */
const NOT_SHOWN = -2_147_483_648;

/**
 * The operations that are reported as authorized operations (KIP-430,
 * AclEntry.supportedOperations).
 */
const SHOWN = {
  TOPIC: [
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
  ],
  GROUP: ["READ", "DELETE", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"],
  CLUSTER: [
    "CREATE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
  ],
} as const;

const ERRORS_OF_RESOURCES = {
  TOPIC: "TOPIC_AUTHORIZATION_FAILED",
  GROUP: "GROUP_AUTHORIZATION_FAILED",
  CLUSTER: "CLUSTER_AUTHORIZATION_FAILED",
  TRANSACTIONAL_ID: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
} as const satisfies Record<ResourceType, ErrorName>;

/** Returns the resource's own error when the client may not do this to it. */
export function accessRefusal(
  context: RequestContext,
  operation: Operation,
  resource: ResourceType,
  name: string,
): ErrorName | undefined {
  const isAllowed = context.cluster.authorizer.allows(
    requester(context),
    operation,
    resource,
    name,
  );
  return isAllowed ? undefined : ERRORS_OF_RESOURCES[resource];
}

export function topicAccessRefusal(
  context: RequestContext,
  operation: Operation,
  topic: string,
): ErrorName | undefined {
  return accessRefusal(context, operation, "TOPIC", topic);
}

export function clusterAccessRefusal(
  context: RequestContext,
  operation: Operation,
): ErrorName | undefined {
  return accessRefusal(context, operation, "CLUSTER", CLUSTER_NAME);
}

/**
 * Returns a bit for each operation that the client may do, or the value for operations that were
 * not asked for.
 */
export function authorizedOperations(
  context: RequestContext,
  isAsked: boolean,
  resource: keyof typeof SHOWN,
  name: string,
): number {
  if (!isAsked) return NOT_SHOWN;
  return SHOWN[resource]
    .filter((operation) => accessRefusal(context, operation, resource, name) === undefined)
    .reduce((bits, operation) => bits | (1 << OPERATIONS[operation]), 0);
}

/** Returns the same for the cluster, and 0 for a client that may not describe it. */
export function clusterAuthorizedOperations(context: RequestContext, isAsked: boolean): number {
  const isRefused = isAsked && clusterAccessRefusal(context, "DESCRIBE") !== undefined;
  return isRefused ? 0 : authorizedOperations(context, isAsked, "CLUSTER", CLUSTER_NAME);
}

export function requester({ session, clientHost }: RequestContext): Requester {
  return { principal: session.principal, host: clientHost.replace(/^\//, "") };
}
