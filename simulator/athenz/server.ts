import { isIP } from "node:net";
import { fastify } from "fastify";
import { messageOf } from "#consumer/errors.ts";
import { createAuthority } from "#fixtures/certificates.ts";
import type { Authority } from "#fixtures/certificates.ts";
import { ResourceError, createZms } from "./zms.ts";
import type { Zms } from "./zms.ts";
import { registerZms } from "./zms-routes.ts";
import type { InstalledFault } from "#simulator/http/request-faults.ts";
import { createZts, WITHHELD } from "./zts.ts";
import type { IssueEvent, Zts, ZtsOptions } from "./zts.ts";
import { registerZts } from "./zts-routes.ts";

export interface AthenzOptions {
  /** Signs identities and the certificate of this server. Defaults to a fresh authority. */
  readonly authority?: Authority;
  /** Defaults to 127.0.0.1. */
  readonly host?: string;
  /** Defaults to 0, which takes any free port. */
  readonly port?: number;
  /** Names in the server's certificate beside localhost and 127.0.0.1. */
  readonly dnsNames?: readonly string[];
  /** The lifetime of issued identities, in milliseconds. Defaults to one hour. */
  readonly lifetimeMs?: number;
  readonly attest?: ZtsOptions["attest"];
  readonly trustedPem?: ZtsOptions["trustedPem"];
}

/**
 * The operations that scenarios can perform on Athenz. All methods are asynchronous, so that they can also be called
 * over HTTP.
 */
interface AthenzControl {
  /** Creates the role, or replaces its members. */
  putRole(domain: string, role: string, members?: readonly string[]): Promise<void>;
  addMember(domain: string, role: string, member: string): Promise<void>;
  deleteMember(domain: string, role: string, member: string): Promise<void>;
  /** Stops issuing certificates until the result is disposed of. */
  withholdCertificates(): Promise<InstalledFault>;
  /** Sets the lifetime of the certificates that are issued from now on, in milliseconds. */
  setLifetime(lifetimeMs: number): Promise<void>;
  /**
   * Sets when sidecars come back, which each is told with its next certificate. undefined leaves it
   * to the sidecar.
   */
  setRefreshAfter(refreshAfterMs: number | undefined): Promise<void>;
  /** Returns every request for a certificate with its outcome, oldest first. */
  events(): Promise<readonly IssueEvent[]>;
}

export interface RunningAthenz extends AsyncDisposable {
  readonly url: string;
  /** `<url>/zms/v1`, the form that `zms-cli -z` takes. */
  readonly zmsUrl: string;
  /** `<url>/zts/v1`, the form of the sidecar's ZTS_URL. */
  readonly ztsUrl: string;
  readonly authority: Authority;
  /**
   * The roles themselves, for callers in this process. It also serves as the RoleChecker of a CKMS.
   */
  readonly zms: Zms;
  /** The issuer of certificates, for callers in this process. */
  readonly zts: Zts;
  /** The same for callers that may run in another process. */
  readonly control: AthenzControl;
}

/** Starts ZMS and ZTS on one HTTPS port, with the authority behind them. */
export async function startAthenz(options: AthenzOptions = {}): Promise<RunningAthenz> {
  const authority =
    options.authority ?? (await createAuthority({ commonName: "Athenz simulator CA" }));
  const host = options.host ?? "127.0.0.1";
  const own = await authority.issue({
    commonName: "athenz",
    dnsNames: ["localhost", ...(options.dnsNames ?? [])],
    // A pod on another machine knows only the address of this listener.
    ipAddresses: [...new Set(["127.0.0.1", ...(isIP(host) === 0 ? [] : [host])])],
  });
  const zms = createZms();
  const accepted = [authority.certificatePem];
  const secureContext = () => ({
    key: own.privateKeyPem,
    cert: own.certificatePem,
    ca: [...accepted],
  });
  const zts = createZts({
    authority,
    onAuthority: (certificatePem) => {
      if (accepted.includes(certificatePem)) return;
      accepted.push(certificatePem);
      server.server.setSecureContext(secureContext());
    },
    ...(options.lifetimeMs === undefined ? {} : { lifetimeMs: options.lifetimeMs }),
    ...(options.attest === undefined ? {} : { attest: options.attest }),
    ...(options.trustedPem === undefined ? {} : { trustedPem: options.trustedPem }),
  });
  const server = fastify({
    https: {
      ...secureContext(),
      // A client certificate is asked for and not demanded: an instance registers before it has
      // one.
      requestCert: true,
      rejectUnauthorized: false,
    },
    forceCloseConnections: true,
    // Role names are long: the default of 100 would answer 404.
    routerOptions: { maxParamLength: 1024 },
  });
  server.setErrorHandler(async (error, _request, reply) => {
    const code = error instanceof ResourceError ? error.code : statusOf(error);
    const message = messageOf(error);
    await reply.code(code).send({ code, message });
  });
  registerZms(server, zms);
  registerZts(server, zts, zms, authority.certificatePem);
  const url = await server.listen({ host, port: options.port ?? 0 });
  return {
    url,
    zmsUrl: `${url}/zms/v1`,
    ztsUrl: `${url}/zts/v1`,
    authority,
    zms,
    zts,
    control: createControl(zms, zts),
    [Symbol.asyncDispose]: async () => {
      await server.close();
    },
  };
}

function createControl(zms: Zms, zts: Zts): AthenzControl {
  return {
    putRole: async (domain, role, members) => zms.putRole(domain, role, members),
    addMember: async (domain, role, member) => zms.addMember(domain, role, member),
    deleteMember: async (domain, role, member) => zms.deleteMember(domain, role, member),
    withholdCertificates: async () => zts.faults.add({ action: WITHHELD }),
    setLifetime: async (lifetimeMs) => zts.setLifetime(lifetimeMs),
    setRefreshAfter: async (refreshAfterMs) => zts.setRefreshAfter(refreshAfterMs),
    events: async () => zts.events(),
  };
}

/** Errors of fastify itself, such as a body that is not JSON, carry their status. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" ? status : 500;
}
