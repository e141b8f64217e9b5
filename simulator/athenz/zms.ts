/** The RoleMember of the ZMS RDL (core/zms/src/main/rdl/Role.tdl). */
interface RoleMember {
  readonly memberName: string;
  /** ISO 8601. When it is absent, the membership does not expire. */
  readonly expiration?: string;
  readonly active: boolean;
  readonly approved: boolean;
}

/** The Role of the ZMS RDL, as far as this simulator keeps it. */
interface Role {
  readonly name: string;
  readonly modified: string;
  readonly roleMembers: readonly RoleMember[];
}

/** The Membership of the ZMS RDL. */
interface Membership {
  readonly memberName: string;
  readonly isMember: boolean;
  readonly roleName: string;
  readonly expiration?: string;
  readonly active: boolean;
  readonly approved: boolean;
}

/** The ResourceError of the RDL: `code` is the HTTP status. */
export class ResourceError extends Error {
  override readonly name = "ResourceError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Roles and their members. Names are compared in lower case, as ZMS stores them. */
export interface Zms {
  /** Creates the role, or replaces its members. */
  putRole(domain: string, role: string, members?: readonly string[]): void;
  /** Returns a role. Throws ResourceError 404 when the role is unknown. */
  role(domain: string, role: string): Role;
  deleteRole(domain: string, role: string): void;
  /**
   * Adds a member. Throws ResourceError 404 when the role is unknown, 400 when the name is not a
   * member name.
   */
  addMember(domain: string, role: string, member: string, expiration?: string): void;
  /** Deletes a member. Throws ResourceError 404 when the role is unknown or has no such member. */
  deleteMember(domain: string, role: string, member: string): void;
  /**
   * Makes a member ineffective, without deleting it, until the suspension is disposed of. Throws
   * ResourceError 404 when the role is unknown.
   */
  suspendMember(domain: string, role: string, member: string): Disposable;
  membership(domain: string, role: string, member: string): Membership;
  /**
   * Decides as ZMS and ZTS do: wildcards count and expired members do not. An unknown role has no
   * members.
   */
  isMember(domain: string, role: string, principal: string): boolean;
}

/** Creates the store of roles. `wallMs` is the clock for expirations. Defaults to the system's. */
export function createZms(wallMs: () => number = Date.now): Zms {
  const roles = new Map<string, { modifiedMs: number; members: Map<string, string | undefined> }>();

  /** One entry for each time that a member was suspended. */
  const suspensions = new Set<{ readonly role: string; readonly member: string }>();
  const isSuspended = (domain: string, role: string, member: string) =>
    [...suspensions].some(
      (one) => one.role === resourceName(domain, role) && one.member === member,
    );

  function find(domain: string, role: string) {
    const found = roles.get(resourceName(domain, role));
    if (found === undefined) {
      throw new ResourceError(404, `unknown role ${resourceName(domain, role)}`);
    }
    return found;
  }

  return {
    putRole(domain, role, members = []) {
      const names = members.map((member) => checkedName(member));
      roles.set(resourceName(domain, role), {
        modifiedMs: wallMs(),
        members: new Map(names.map((name) => [name, undefined])),
      });
    },
    role(domain, role) {
      const found = find(domain, role);
      return {
        name: resourceName(domain, role),
        modified: new Date(found.modifiedMs).toISOString(),
        roleMembers: [...found.members].map(([name, expiration]) =>
          memberFields(name, expiration, !isSuspended(domain, role, name)),
        ),
      };
    },
    deleteRole(domain, role) {
      find(domain, role);
      roles.delete(resourceName(domain, role));
    },
    addMember(domain, role, member, expiration) {
      const found = find(domain, role);
      found.members.set(checkedName(member), expiration);
      found.modifiedMs = wallMs();
    },
    deleteMember(domain, role, member) {
      const found = find(domain, role);
      if (!found.members.delete(checkedName(member))) {
        throw new ResourceError(404, `${member} is not a member of ${resourceName(domain, role)}`);
      }
      found.modifiedMs = wallMs();
    },
    suspendMember(domain, role, member) {
      find(domain, role);
      const suspension = { role: resourceName(domain, role), member: checkedName(member) };
      suspensions.add(suspension);
      return { [Symbol.dispose]: () => void suspensions.delete(suspension) };
    },
    membership(domain, role, member) {
      const expiration = find(domain, role).members.get(checkedName(member));
      return {
        ...memberFields(
          checkedName(member),
          expiration,
          !isSuspended(domain, role, checkedName(member)),
        ),
        isMember: this.isMember(domain, role, member),
        roleName: resourceName(domain, role),
      };
    },
    isMember(domain, role, principal) {
      const members = roles.get(resourceName(domain, role))?.members;
      if (members === undefined || isSuspended(domain, role, principal.toLowerCase())) return false;
      return [...members].some(
        ([pattern, expiration]) =>
          matches(pattern, principal.toLowerCase()) &&
          (expiration === undefined || Date.parse(expiration) > wallMs()),
      );
    },
  };
}

function memberFields(
  memberName: string,
  expiration: string | undefined,
  active: boolean,
): RoleMember {
  return {
    memberName,
    ...(expiration === undefined ? {} : { expiration }),
    active,
    approved: true,
  };
}

/** Returns `domain:role.name`, the RDL's ResourceName of a role. */
export function resourceName(domain: string, role: string): string {
  return `${domain}:role.${role}`.toLowerCase();
}

/** The MemberName of Names.tdl: `*`, `domain.*` or a service name that may end in `*`. */
const MEMBER_NAME = /^(?:\*|(?:\w[\w-]*\.)+\*|(?:\w[\w-]*\.)*\w[\w-]*\*?)$/;

function checkedName(member: string): string {
  if (!MEMBER_NAME.test(member)) throw new ResourceError(400, `not a member name: ${member}`);
  return member.toLowerCase();
}

function matches(pattern: string, principal: string): boolean {
  return pattern.endsWith("*") ? principal.startsWith(pattern.slice(0, -1)) : pattern === principal;
}
