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
/** What a request does to a resource. */
export type Operation = keyof typeof OPERATIONS;

/** The only name of a resource of type CLUSTER. */
export const CLUSTER_NAME = "kafka-cluster";
/** Every principal of the type `User`, every host, or with LITERAL every name. */
export const WILDCARD = "*";

/** One entry of the access control list: who may, or may not, do what to which resources. */
export interface AclEntry {
  readonly resource: ResourceType;
  /** `*` with LITERAL: every name. A resource of type CLUSTER is called `kafka-cluster`. */
  readonly name: string;
  readonly pattern: "LITERAL" | "PREFIXED";
  /** `User:NAME`, `User:*` for everybody. */
  readonly principal: string;
  /** Address of the client, `*` for every one. */
  readonly host: string;
  readonly operation: Operation | "ALL";
  readonly permission: "ALLOW" | "DENY";
}

/** Whether the entry is about a resource of this name. */
export function appliesTo({ pattern, name }: AclEntry, resourceName: string): boolean {
  if (pattern === "PREFIXED") return resourceName.startsWith(name);
  return name === resourceName || name === WILDCARD;
}
