import type { FastifyInstance } from "fastify";
import { ResourceError, resourceName } from "./zms.ts";
import type { Zms } from "./zms.ts";
import { isJsonObject } from "#consumer/json.ts";
import type { JsonObject } from "#consumer/json.ts";

interface RolePath {
  readonly Params: { readonly domain: string; readonly role: string };
}
interface MemberPath {
  readonly Params: { readonly domain: string; readonly role: string; readonly member: string };
}

/**
 * Registers the part of the ZMS API that concerns roles and members
 * (core/zms/src/main/rdl/Role.rdli).
 */
export function registerZms(server: FastifyInstance, zms: Zms): void {
  const rolePath = "/zms/v1/domain/:domain/role/:role";
  const memberPath = `${rolePath}/member/:member`;

  server.get<RolePath>(rolePath, ({ params }) => zms.role(params.domain, params.role));

  server.put<RolePath>(rolePath, async ({ params, body }, reply) => {
    const role = objectOf(body);
    requireSame("role name", role.name, resourceName(params.domain, params.role));
    zms.putRole(params.domain, params.role, membersOf(role.roleMembers));
    await reply.code(204).send();
  });

  server.delete<RolePath>(rolePath, async ({ params }, reply) => {
    zms.deleteRole(params.domain, params.role);
    await reply.code(204).send();
  });

  server.get<MemberPath>(memberPath, ({ params }) =>
    zms.membership(params.domain, params.role, params.member),
  );

  server.put<MemberPath>(memberPath, async ({ params, body }, reply) => {
    const membership = objectOf(body);
    requireSame("member name", membership.memberName, params.member);
    // zms-cli sends the short name here and other clients send the resource name. Both must name
    // the role of the path.
    if (membership.roleName !== undefined && membership.roleName !== params.role) {
      requireSame("role name", membership.roleName, resourceName(params.domain, params.role));
    }
    const { expiration } = membership;
    if (
      expiration !== undefined &&
      (typeof expiration !== "string" || Number.isNaN(Date.parse(expiration)))
    ) {
      throw new ResourceError(400, "expiration is not a timestamp");
    }
    zms.addMember(params.domain, params.role, params.member, expiration);
    await reply.code(204).send();
  });

  server.delete<MemberPath>(memberPath, async ({ params }, reply) => {
    zms.deleteMember(params.domain, params.role, params.member);
    await reply.code(204).send();
  });
}

export function objectOf(body: unknown): JsonObject {
  if (!isJsonObject(body)) throw new ResourceError(400, "the body is not a JSON object");
  return body;
}

function requireSame(what: string, given: unknown, expected: string): void {
  if (typeof given !== "string" || given.toLowerCase() !== expected.toLowerCase()) {
    throw new ResourceError(400, `${what} of the body is not ${expected}`);
  }
}

function membersOf(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ResourceError(400, "roleMembers is not an array");
  return value.map((item: unknown) => {
    const member = objectOf(item).memberName;
    if (typeof member !== "string") throw new ResourceError(400, "a role member has no memberName");
    return member;
  });
}
