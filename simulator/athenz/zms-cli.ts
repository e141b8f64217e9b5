import { readFile } from "node:fs/promises";
import type { Command, OptionValues } from "#simulator/process/command.ts";
import { UsageError, textOption } from "#simulator/process/command.ts";
import { jsonField } from "#simulator/http/json-fields.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import type { JsonRequestOptions } from "#simulator/http/json-request.ts";

/**
 * The subcommands of `zms-cli` that manage a role. `add-member` is upstream's name,
 * `add-role-member` is the one in the site's instructions: both send the same request. Options are
 * named as upstream's flags (utils/zms-cli): -d domain, -z ZMS URL, -c CA certificate file, --cert
 * and --key; --url is the same as -z.
 */
export const command: Command = {
  name: "zms-cli",
  summary: "manage the members of a role: add-member, add-role-member, delete-member, show-role",
  options: {
    domain: { type: "string", short: "d" },
    url: { type: "string" },
    zms: { type: "string", short: "z" },
    ca: { type: "string", short: "c" },
    cert: { type: "string" },
    key: { type: "string" },
  },
  positionals: ["SUBCOMMAND", "ROLE", "[MEMBER...]"],
  async start(values, env, positionals) {
    const [subcommand, role, ...members] = positionals;
    if (subcommand === undefined || role === undefined) {
      throw new UsageError("SUBCOMMAND ROLE are required");
    }
    const domain = textOption(values, "domain");
    const { zms = values.url ?? env.ZMS } = values;
    if (typeof zms !== "string") throw new UsageError("-z, --url or ZMS must name the ZMS");
    const path = `${baseUrl(zms)}/domain/${domain}/role/${role}`;
    const settings = await requestSettings(values);
    const run = prepare(subcommand, { path, role, members, settings });
    return { listening: {}, ended: run(), [Symbol.asyncDispose]: async () => {} };
  },
};

interface RoleRequest {
  readonly path: string;
  readonly role: string;
  readonly members: readonly string[];
  readonly settings: JsonRequestOptions;
}

function prepare(subcommand: string, request: RoleRequest): () => Promise<number> {
  switch (subcommand) {
    case "add-member":
    case "add-role-member":
      requireMembers(subcommand, request.members);
      return () => eachMember(request, "PUT", `Added to ${request.role}`);
    case "delete-member":
    case "delete-role-member":
      requireMembers(subcommand, request.members);
      return () => eachMember(request, "DELETE", `Deleted from ${request.role}`);
    case "show-role":
      return () => showRole(request);
    default:
      throw new UsageError(`unknown subcommand ${subcommand}`);
  }
}

function requireMembers(subcommand: string, members: readonly string[]): void {
  if (members.length === 0) throw new UsageError(`${subcommand} needs at least one MEMBER`);
}

async function eachMember(
  { path, role, members, settings }: RoleRequest,
  method: "PUT" | "DELETE",
  done: string,
): Promise<number> {
  for (const memberName of members) {
    const { status, body } = await requestJson(`${path}/member/${encodeURIComponent(memberName)}`, {
      ...settings,
      method,
      ...(method === "PUT" ? { body: { memberName, roleName: role } } : {}),
    });
    if (status !== 204) return refused(status, body);
  }
  process.stdout.write(`[${done}: ${members.join(",")}]\n`);
  return 0;
}

async function showRole({ path, settings }: RoleRequest): Promise<number> {
  const { status, body } = await requestJson(path, settings);
  if (status !== 200) return refused(status, body);
  const listed = jsonField(body, "roleMembers");
  const names = (Array.isArray(listed) ? listed : []).map((item) => jsonField(item, "memberName"));
  const members = names.map((name) => `      - ${String(name)}\n`).join("");
  process.stdout.write(
    `role:\n  - name: ${String(jsonField(body, "name"))}\n    members:\n${members}`,
  );
  return 0;
}

function refused(status: number, body: unknown): number {
  const message = jsonField(body, "message");
  process.stdout.write(`code: ${status}\nmessage: ${typeof message === "string" ? message : ""}\n`);
  return 1;
}

/** Upstream insists on the suffix /zms/v1. Here it may be left out. */
function baseUrl(url: string): string {
  const trimmed = url.replace(/\/+$/, "");
  return trimmed.endsWith("/zms/v1") ? trimmed : `${trimmed}/zms/v1`;
}

async function requestSettings({ ca, cert, key }: OptionValues): Promise<JsonRequestOptions> {
  return {
    ...(typeof ca === "string" ? { authority: await readFile(ca, "utf8") } : {}),
    ...(typeof cert === "string" && typeof key === "string"
      ? {
          identity: {
            certificatePem: await readFile(cert, "utf8"),
            privateKeyPem: await readFile(key, "utf8"),
          },
        }
      : {}),
  };
}
