import type { TLSSocket } from "node:tls";
import { fastify } from "fastify";
import type { FastifyRequest } from "fastify";
import { clientIssuer, clientPrincipal } from "#simulator/http/client-principal.ts";
import { jsonField } from "#simulator/http/json-fields.ts";
import { RequestFaults, serveRequestFaults } from "#simulator/http/request-faults.ts";
import type { InstalledFault, RequestFault } from "#simulator/http/request-faults.ts";
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

interface CkmsRequest {
  /** null when the TLS handshake already failed. */
  readonly principal: string | null;
  /** Common name of the authority that issued the certificate of the client; null when the TLS handshake already failed. */
  readonly issuer: string | null;
  /** Name of the secret that was asked for; null when the TLS handshake already failed. */
  readonly name: string | null;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Why the certificate of the client was not accepted; null when it was, and when the client ended the handshake. */
  readonly refusal: string | null;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** What scenarios do to CKMS; asynchronous, so that it can be done over HTTP too. */
interface CkmsControl {
  /** Stores the first or the next version (a rotation); resolves to its version: 1, 2, 3 ... */
  putSecret(keyGroup: string, name: string, value: string): Promise<number>;
  removeSecret(keyGroup: string, name: string): Promise<void>;
  /** Requests meet the fault from now on, until it is disposed. */
  addFault(fault: RequestFault<SecretRequest>): Promise<InstalledFault>;
  /** Accepts the certificates of another authority too, until the guard is disposed. */
  trust(authorityPem: string): Promise<AsyncDisposable>;
  /** What was asked for and by whom, oldest first; never a value. */
  requests(): Promise<readonly CkmsRequest[]>;
}

/** By which a fault chooses requests. */
interface SecretRequest {
  readonly principal: string | null;
  readonly issuer: string | null;
  readonly keyGroup: string;
  /** Of the secret. */
  readonly name: string;
}

export interface RunningCkms extends AsyncDisposable {
  readonly url: string;
  /** In this process: the secrets themselves. */
  readonly secrets: SecretStore;
  /** The same for whoever may be in another process one day. */
  readonly control: CkmsControl;
}

/** The secret store: mTLS, and a live check of the caller's role before anything else is said. */
export async function startCkms(options: CkmsOptions): Promise<RunningCkms> {
  const secrets = createSecretStore();
  const requests: CkmsRequest[] = [];
  const faults = new RequestFaults<SecretRequest>();
  const trusted = [options.authorityPem];
  const secureContext = () => ({
    key: options.server.privateKeyPem,
    cert: options.server.certificatePem,
    ca: [...trusted],
  });
  const server = fastify({
    https: {
      ...secureContext(),
      requestCert: true,
      rejectUnauthorized: true,
    },
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 1024 },
  });
  // Without a certificate of our authority there is no connection, so nothing else would tell of it.
  server.server.on("tlsClientError", (_error, { authorizationError }: TLSSocket) => {
    requests.push({
      principal: null,
      issuer: null,
      name: null,
      status: 0,
      refusal: authorizationError === null ? null : String(authorizationError),
      atMs: Date.now(),
    });
  });
  const record = ({ principal, issuer, name }: SecretRequest, status: number) =>
    void requests.push({ principal, issuer, name, status, refusal: null, atMs: Date.now() });
  serveRequestFaults(server, faults, { factsOf: secretRequest, onEnd: record });

  server.get("/v1/keygroups/:keyGroup/keys/:name", async (request, reply) => {
    const asked = secretRequest(request);
    if (asked === undefined) throw new TypeError("a path without key group and name");
    const { status, body } = await answer(asked.keyGroup, asked.name, asked.principal);
    record(asked, status);
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
      addFault: async (fault) => faults.add(fault),
      trust: async (authorityPem) => {
        trusted.push(authorityPem);
        server.server.setSecureContext(secureContext());
        return {
          [Symbol.asyncDispose]: async () => {
            const index = trusted.indexOf(authorityPem);
            if (index < 0) return;
            trusted.splice(index, 1);
            server.server.setSecureContext(secureContext());
          },
        };
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

/** Undefined for a request that is not about a secret. */
function secretRequest({ params, raw }: FastifyRequest): SecretRequest | undefined {
  const keyGroup = jsonField(params, "keyGroup");
  const name = jsonField(params, "name");
  if (typeof keyGroup !== "string" || typeof name !== "string") return undefined;
  const { socket } = raw;
  return { keyGroup, name, principal: clientPrincipal(socket), issuer: clientIssuer(socket) };
}
