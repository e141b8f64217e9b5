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
  /** The PEM pair of the server. */
  readonly server: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** PEM of the authority whose client certificates are accepted. */
  readonly authorityPem: string;
  readonly roles: RoleChecker;
  /** The Athenz domain that owns the access roles. Defaults to `sre.tooling`. */
  readonly roleDomain?: string;
  /** Defaults to 127.0.0.1. */
  readonly host?: string;
  /** Defaults to 0, which takes any free port. */
  readonly port?: number;
}

interface CkmsRequest {
  /** The caller; null when the TLS handshake failed. */
  readonly principal: string | null;
  /**
   * The common name of the authority that issued the client's certificate; null when the TLS
   * handshake failed.
   */
  readonly issuer: string | null;
  /** The name of the secret; null when the TLS handshake failed. */
  readonly name: string | null;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /**
   * The reason why the client's certificate was not accepted. null when it was accepted, and when
   * the client ended the handshake.
   */
  readonly refusal: string | null;
  /** The time, in milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * The operations that scenarios can perform on CKMS. All methods are asynchronous, so that they can also be called over
 * HTTP.
 */
interface CkmsControl {
  /**
   * Stores the first or the next version (a rotation) and resolves to its number, counted from 1.
   */
  putSecret(keyGroup: string, name: string, value: string): Promise<number>;
  removeSecret(keyGroup: string, name: string): Promise<void>;
  /** Applies the fault to requests until the result is disposed of. */
  addFault(fault: RequestFault<SecretRequest>): Promise<InstalledFault>;
  /** Accepts the certificates of another authority too, until the result is disposed of. */
  trust(authorityPem: string): Promise<AsyncDisposable>;
  /** Returns the requests with their callers, oldest first; never a value. */
  requests(): Promise<readonly CkmsRequest[]>;
}

/** The facts about a request by which a fault selects it. */
interface SecretRequest {
  readonly principal: string | null;
  readonly issuer: string | null;
  readonly keyGroup: string;
  /** The name of the secret. */
  readonly name: string;
}

export interface RunningCkms extends AsyncDisposable {
  readonly url: string;
  /** The secrets themselves, for callers in this process. */
  readonly secrets: SecretStore;
  /** The same for callers that may run in another process. */
  readonly control: CkmsControl;
}

/**
 * Starts the secret store: it uses mTLS and checks the caller's role before it says anything else.
 */
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
  // There is no connection without a certificate of our authority, so no request would record the
  // attempt.
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
    const { status, body } = await answer(asked, secrets, options);
    record(asked, status);
    return await reply.code(status).send(body);
  });

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

/** Checks the role and returns the status and body of the answer. */
async function answer(
  { keyGroup, name, principal }: SecretRequest,
  secrets: SecretStore,
  { roles, roleDomain: domain = "sre.tooling" }: CkmsOptions,
) {
  if (principal === null) return failure(401, "the client certificate names no principal");
  const role = accessRole(keyGroup);
  let member: boolean;
  try {
    member = await roles.isMember(domain, role, principal);
  } catch {
    return failure(503, `the members of role ${domain}:role.${role} cannot be read`);
  }
  // The role is checked before the secret is looked up: a stranger must not learn which names
  // exist.
  if (!member) {
    return failure(403, `principal ${principal} is not a member of role ${domain}:role.${role}`);
  }
  const secret = secrets.find(keyGroup, name);
  if (secret === undefined) return failure(404, `unknown key ${name} in key group ${keyGroup}`);
  const value = Buffer.from(secret.value, "utf8").toString("base64");
  return { status: 200, body: { name, keyGroup, version: secret.version, value } };
}

/**
 * Returns the name of the role that guards a key group, in the domain that owns it (from the
 * deployment guide).
 */
export function accessRole(keyGroup: string): string {
  return `paranoids.ppse.ckms.ykeykey_aws.res_group.${keyGroup}.access`;
}

function failure(status: number, message: string) {
  return { status, body: { code: status, message } };
}

/** Returns undefined for a request that is not about a secret. */
function secretRequest({ params, raw }: FastifyRequest): SecretRequest | undefined {
  const keyGroup = jsonField(params, "keyGroup");
  const name = jsonField(params, "name");
  if (typeof keyGroup !== "string" || typeof name !== "string") return undefined;
  const { socket } = raw;
  return { keyGroup, name, principal: clientPrincipal(socket), issuer: clientIssuer(socket) };
}
