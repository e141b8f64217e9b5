/** Numbers of the protocol for the names that Apache Kafka's tools use (org.apache.kafka.common.acl). */
export const RESOURCE_TYPES = {
  ANY: 1,
  TOPIC: 2,
  GROUP: 3,
  CLUSTER: 4,
  TRANSACTIONAL_ID: 5,
} as const;

export const PATTERN_TYPES = { ANY: 1, MATCH: 2, LITERAL: 3, PREFIXED: 4 } as const;

export const OPERATIONS = {
  ANY: 1,
  ALL: 2,
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

export const PERMISSIONS = { ANY: 1, DENY: 2, ALLOW: 3 } as const;

export type ResourceType = Exclude<keyof typeof RESOURCE_TYPES, "ANY">;
type PatternType = Exclude<keyof typeof PATTERN_TYPES, "ANY" | "MATCH">;
/** What a request does to a resource; `ALL` stands in ACLs only. */
export type Operation = Exclude<keyof typeof OPERATIONS, "ANY" | "ALL">;
type Permission = Exclude<keyof typeof PERMISSIONS, "ANY">;

/** The only name of a resource of type CLUSTER. */
export const CLUSTER_NAME = "kafka-cluster";
/** Every principal of the type `User`, every host, or with LITERAL every name. */
export const WILDCARD = "*";

/** One entry of the access control list: who may, or may not, do what to which resources. */
export interface Acl {
  readonly resource: ResourceType;
  /** `*` with LITERAL: every name. A resource of type CLUSTER is called `kafka-cluster`. */
  readonly name: string;
  readonly pattern: PatternType;
  /** `User:NAME`, `User:*` for everybody. */
  readonly principal: string;
  /** Address of the client, `*` for every one. */
  readonly host: string;
  readonly operation: Operation | "ALL";
  readonly permission: Permission;
}

/** Which entries are meant; null stands for any value. */
export interface AclFilter {
  readonly resource: ResourceType | null;
  readonly name: string | null;
  /** `MATCH`: every entry that applies to a resource of this name. */
  readonly pattern: PatternType | "MATCH" | null;
  readonly principal: string | null;
  readonly host: string | null;
  readonly operation: Operation | "ALL" | null;
  readonly permission: Permission | null;
}

export function matchesFilter(acl: Acl, filter: AclFilter): boolean {
  return (
    isWanted(filter.resource, acl.resource) &&
    isWanted(filter.principal, acl.principal) &&
    isWanted(filter.host, acl.host) &&
    isWanted(filter.operation, acl.operation) &&
    isWanted(filter.permission, acl.permission) &&
    isNameWanted(acl, filter)
  );
}

function isWanted<T>(wanted: T | null, value: T): boolean {
  return wanted === null || wanted === value;
}

function isNameWanted(acl: Acl, { name, pattern }: AclFilter): boolean {
  if (pattern !== "MATCH") return isWanted(pattern, acl.pattern) && isWanted(name, acl.name);
  return name === null || appliesTo(acl, name);
}

/** Whether the entry is about a resource of this name. */
export function appliesTo({ pattern, name }: Acl, resourceName: string): boolean {
  if (pattern === "PREFIXED") return resourceName.startsWith(name);
  return name === resourceName || name === WILDCARD;
}
