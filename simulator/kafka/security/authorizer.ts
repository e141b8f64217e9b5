import { appliesTo, WILDCARD } from "./acl-entry.ts";
import type { AclEntry, Operation, ResourceType } from "./acl-entry.ts";

/** The client whose rights are checked. */
export interface Requester {
  /** The principal, as `User:NAME`. */
  readonly principal: string;
  /** The address of the client. */
  readonly host: string;
}

export interface AuthorizationOptions {
  /** Principals that may do everything, such as `User:admin`. */
  readonly superUsers?: readonly string[];
  /** The entries. By default `pattern` is LITERAL, `host` is `*` and `permission` is ALLOW. */
  readonly acls?: readonly (Pick<AclEntry, "resource" | "name" | "principal" | "operation"> &
    Partial<AclEntry>)[];
  /**
   * `allow.everyone.if.no.acl.found`: lets everybody use a resource to which no entry applies.
   * Defaults to true without `acls`, and to false with them.
   */
  readonly allowIfNoAcl?: boolean;
}

/** An ALLOW of one of these allows DESCRIBE too. */
const IMPLY_DESCRIBE: ReadonlySet<string> = new Set(["READ", "WRITE", "DELETE", "ALTER"]);

/**
 * The access control list. It decides as Apache Kafka's StandardAuthorizer does, and may change
 * while the broker runs.
 */
export class Authorizer {
  readonly #superUsers: ReadonlySet<string>;
  readonly #allowIfNoAcl: boolean;
  #acls: readonly AclEntry[] = [];

  constructor({ superUsers = [], acls, allowIfNoAcl }: AuthorizationOptions) {
    this.#superUsers = new Set(superUsers);
    this.#allowIfNoAcl = allowIfNoAcl ?? acls === undefined;
    for (const { pattern = "LITERAL", host = WILDCARD, permission = "ALLOW", ...acl } of acls ??
      []) {
      this.add({ ...acl, pattern, host, permission });
    }
  }

  add(acl: AclEntry): void {
    this.#acls = [...this.#acls, acl];
  }

  allows(
    { principal, host }: Requester,
    operation: Operation,
    resource: ResourceType,
    name: string,
  ): boolean {
    if (this.#superUsers.has(principal)) return true;
    if (this.#acls.length === 0) return this.#allowIfNoAcl;
    const entries = this.#acls.filter((acl) => acl.resource === resource && appliesTo(acl, name));
    if (entries.length === 0) return this.#allowIfNoAcl;
    const meant = entries.filter(
      (acl) =>
        (acl.principal === principal || acl.principal === `User:${WILDCARD}`) &&
        (acl.host === host || acl.host === WILDCARD) &&
        covers(acl, operation),
    );
    return meant.length > 0 && meant.every(({ permission }) => permission === "ALLOW");
  }

  /** Tells whether there is any resource of this type on which the operation is allowed. */
  allowsAny(requester: Requester, operation: Operation, resource: ResourceType): boolean {
    const names = this.#acls.filter((acl) => acl.resource === resource).map(({ name }) => name);
    return ["", ...names].some((name) => this.allows(requester, operation, resource, name));
  }
}

function covers({ operation: granted, permission }: AclEntry, operation: Operation): boolean {
  if (granted === "ALL" || granted === operation) return true;
  if (permission === "DENY") return false;
  if (operation === "DESCRIBE") return IMPLY_DESCRIBE.has(granted);
  return operation === "DESCRIBE_CONFIGS" && granted === "ALTER_CONFIGS";
}
