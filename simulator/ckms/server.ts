import { fastify } from "fastify";
import type { FastifyReply } from "fastify";
import { clientPrincipal } from "../client-principal.ts";
import type { RoleChecker } from "./role-checker.ts";
import { createSecretStore } from "./secrets.ts";
import type { SecretStore } from "./secrets.ts";

export interface CkmsOptions {
  /** PEM pair of the server. */
  readonly server: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** PEM of the authority whose client certificates are accepted. */
  readonly authorityPem: string;
  readonly roles: RoleChecker;
  /** Athenz domain that owns the access roles. Default `sre.tooling`. */
  readonly roleDomain?: string;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
}

/** `unavailable` answers 503, `hang` never answers, `reset` closes the connection without an answer. */
type OutageKind = "unavailable" | "hang" | "reset";

interface CkmsRequest {
  /** null when the TLS handshake already failed. */
  readonly principal: string | null;
  /** Name of the secret that was asked for; null when the TLS handshake already failed. */
  readonly name: string | null;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** What scenarios do to CKMS; asynchronous, so that it can be done over HTTP too. */
interface CkmsControl {
  /** Stores the first or the next version (a rotation); resolves to its version: 1, 2, 3 ... */
  putSecret(keyGroup: string, name: string, value: string): Promise<number>;
  removeSecret(keyGroup: string, name: string): Promise<void>;
  /** Every request from now on meets the outage, until the guard is disposed. */
  outage(kind: OutageKind): Promise<AsyncDisposable>;
  /** What was asked for and by whom, oldest first; never a value. */
  requests(): Promise<readonly CkmsRequest[]>;
}

export interface RunningCkms extends AsyncDisposable {
  readonly url: string;
  /** In this process: the secrets themselves. */
  readonly secrets: SecretStore;
  /** The same for whoever may be in another process one day. */
  readonly control: CkmsControl;
}

interface SecretPath {
  readonly Params: { readonly keyGroup: string; readonly name: string };
}

/** The secret store: mTLS, and a live check of the caller's role before anything else is said. */
export async function startCkms(options: CkmsOptions): Promise<RunningCkms> {
  const secrets = createSecretStore();
  const requests: CkmsRequest[] = [];
  let outage: OutageKind | null = null;
  const server = fastify({
    https: {
      key: options.server.privateKeyPem,
      cert: options.server.certificatePem,
      ca: options.authorityPem,
      requestCert: true,
      rejectUnauthorized: true,
    },
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 1024 },
  });
  // Without a certificate of our authority there is no connection, so nothing else would tell of it.
  server.server.on("tlsClientError", () => {
    requests.push({ principal: null, name: null, status: 0, atMs: Date.now() });
  });

  server.get<SecretPath>("/v1/keygroups/:keyGroup/keys/:name", async (request, reply) => {
    const { keyGroup, name } = request.params;
    const principal = clientPrincipal(request.raw.socket);
    const record = (status: number) =>
      void requests.push({ principal, name, status, atMs: Date.now() });
    if (outage !== null) return await meetOutage(outage, reply, record);
    const { status, body } = await answer(keyGroup, name, principal);
    record(status);
    return await reply.code(status).send(body);
  });

  async function answer(keyGroup: string, name: string, principal: string | null) {
    if (principal === null) return failure(401, "the client certificate names no principal");
    const domain = options.roleDomain ?? "sre.tooling";
    const role = accessRole(keyGroup);
    let member: boolean;
    try {
      member = await options.roles.isMember(domain, role, principal);
    } catch {
      return failure(503, `the members of role ${domain}:role.${role} cannot be read`);
    }
    // Before the secret is looked up: a stranger must not learn which names exist.
    if (!member) {
      return failure(403, `principal ${principal} is not a member of role ${domain}:role.${role}`);
    }
    const secret = secrets.find(keyGroup, name);
    if (secret === undefined) return failure(404, `unknown key ${name} in key group ${keyGroup}`);
    const value = Buffer.from(secret.value, "utf8").toString("base64");
    return { status: 200, body: { name, keyGroup, version: secret.version, value } };
  }

  const url = await server.listen({ host: options.host ?? "127.0.0.1", port: options.port ?? 0 });
  return {
    url,
    secrets,
    control: {
      putSecret: async (keyGroup, name, value) => secrets.put(keyGroup, name, value),
      removeSecret: async (keyGroup, name) => secrets.remove(keyGroup, name),
      outage: async (kind) => {
        outage = kind;
        return { [Symbol.asyncDispose]: async () => void (outage = null) };
      },
      requests: async () => [...requests],
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
    },
  };
}

/** Name of the role that guards a key group, in the domain that owns it (from the deployment guide). */
export function accessRole(keyGroup: string): string {
  return `paranoids.ppse.ckms.ykeykey_aws.res_group.${keyGroup}.access`;
}

function failure(status: number, message: string) {
  return { status, body: { code: status, message } };
}

async function meetOutage(
  kind: OutageKind,
  reply: FastifyReply,
  record: (status: number) => void,
): Promise<FastifyReply> {
  if (kind === "unavailable") {
    record(503);
    return await reply.code(503).send({ code: 503, message: "CKMS is unavailable" });
  }
  record(0);
  reply.hijack();
  if (kind === "reset") reply.raw.destroy();
  return reply;
}
