/** The number of each operation in the protocol (org.apache.kafka.common.acl.AclOperation). */
export const OPERATIONS = {
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
} as const;

export type ResourceType = "TOPIC" | "GROUP" | "CLUSTER" | "TRANSACTIONAL_ID";
/** An operation of a request on a resource. */
export type Operation = keyof typeof OPERATIONS;

/** The only name of a resource of type CLUSTER. */
export const CLUSTER_NAME = "kafka-cluster";
/** Stands for every principal of the type `User`, every host, or with LITERAL every name. */
export const WILDCARD = "*";

/**
 * One entry of the access control list: it allows or denies a principal an operation on some
 * resources.
 */
export interface AclEntry {
  readonly resource: ResourceType;
  /**
   * The name of the resource. `*` with LITERAL stands for every name. A resource of type CLUSTER is
   * called `kafka-cluster`.
   */
  readonly name: string;
  readonly pattern: "LITERAL" | "PREFIXED";
  /** `User:NAME`, or `User:*` for everybody. */
  readonly principal: string;
  /** The address of the client, or `*` for every one. */
  readonly host: string;
  readonly operation: Operation | "ALL";
  readonly permission: "ALLOW" | "DENY";
}

/** Tells whether the entry applies to a resource of this name. */
export function appliesTo({ pattern, name }: AclEntry, resourceName: string): boolean {
  if (pattern === "PREFIXED") return resourceName.startsWith(name);
  return name === resourceName || name === WILDCARD;
}
