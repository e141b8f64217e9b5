import {
  CLUSTER_NAME,
  OPERATIONS,
  PATTERN_TYPES,
  PERMISSIONS,
  RESOURCE_TYPES,
} from "#simulator/kafka/security/acl.ts";
import type { Acl, AclFilter } from "#simulator/kafka/security/acl.ts";
import { int8, nullableString, since, string, struct } from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";

/** First version in which names can be prefixes (KIP-290). */
const PREFIXED_NAMES = 1;

/** An entry as DescribeAcls and DeleteAcls ask for it. */
export const aclFilter = struct({
  resourceType: int8,
  resourceName: nullableString,
  patternType: since(PREFIXED_NAMES, int8, PATTERN_TYPES.LITERAL),
  principal: nullableString,
  host: nullableString,
  operation: int8,
  permission: int8,
});

/** An entry as CreateAcls brings it. */
export const aclCreation = struct({
  resourceType: int8,
  resourceName: string,
  patternType: since(PREFIXED_NAMES, int8, PATTERN_TYPES.LITERAL),
  principal: string,
  host: string,
  operation: int8,
  permission: int8,
});

/** Undefined for a filter with a number that stands for nothing. */
export function readFilter(wire: Decoded<typeof aclFilter>): AclFilter | undefined {
  const resource = nameOf(RESOURCE_TYPES, wire.resourceType);
  const pattern = nameOf(PATTERN_TYPES, wire.patternType);
  const operation = nameOf(OPERATIONS, wire.operation);
  const permission = nameOf(PERMISSIONS, wire.permission);
  if (
    resource === undefined ||
    pattern === undefined ||
    operation === undefined ||
    permission === undefined
  ) {
    return undefined;
  }
  return {
    resource: orAny(resource),
    name: wire.resourceName,
    pattern: orAny(pattern),
    principal: wire.principal,
    host: wire.host,
    operation: orAny(operation),
    permission: orAny(permission),
  };
}

/** The entry, or why it is an INVALID_REQUEST. */
export function readCreation(wire: Decoded<typeof aclCreation>): Acl | string {
  const resource = nameOf(RESOURCE_TYPES, wire.resourceType);
  const pattern = nameOf(PATTERN_TYPES, wire.patternType);
  const operation = nameOf(OPERATIONS, wire.operation);
  const permission = nameOf(PERMISSIONS, wire.permission);
  const { resourceName: name, principal, host } = wire;
  if (resource === undefined || resource === "ANY") return "Invalid resourceType";
  if (pattern !== "LITERAL" && pattern !== "PREFIXED") return "Invalid patternType";
  if (operation === undefined || operation === "ANY") return "Invalid operation";
  if (permission === undefined || permission === "ANY") return "Invalid permissionType";
  if (name === "") return "Invalid empty resource name";
  if (resource === "CLUSTER" && name !== CLUSTER_NAME) {
    return `The only valid name for the CLUSTER resource is ${CLUSTER_NAME}`;
  }
  if (!/^[^:]+:./.test(principal)) return `Could not parse principal from ${principal}`;
  return { resource, name, pattern, principal, host, operation, permission };
}

/** The numbers of an entry, with the field names of the answers. */
export function writeAcl({ resource, name, pattern, principal, host, operation, permission }: Acl) {
  return {
    resourceType: RESOURCE_TYPES[resource],
    resourceName: name,
    patternType: PATTERN_TYPES[pattern],
    principal,
    host,
    operation: OPERATIONS[operation],
    permission: PERMISSIONS[permission],
  };
}

function nameOf<T extends Record<string, number>>(
  table: T,
  code: number,
): (keyof T & string) | undefined {
  return Object.entries(table).find(([, number]) => number === code)?.[0];
}

function orAny<T extends string>(name: T): Exclude<T, "ANY"> | null {
  return isNamed(name) ? name : null;
}

function isNamed<T extends string>(name: T): name is Exclude<T, "ANY"> {
  return name !== "ANY";
}
