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
  /** Signs identities and this server. Default: a fresh one. */
  readonly authority?: Authority;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** Names beside localhost and 127.0.0.1 in the server's certificate. */
  readonly dnsNames?: readonly string[];
  /** Of issued identities. Default one hour. */
  readonly lifetimeMs?: number;
  readonly attest?: ZtsOptions["attest"];
  readonly trustedPem?: ZtsOptions["trustedPem"];
}

/** What scenarios do to Athenz; asynchronous, so that it can be done over HTTP too. */
interface AthenzControl {
  /** Creates the role, or replaces its members. */
  putRole(domain: string, role: string, members?: readonly string[]): Promise<void>;
  addMember(domain: string, role: string, member: string): Promise<void>;
  deleteMember(domain: string, role: string, member: string): Promise<void>;
  /** From now on no certificate is issued, until the guard is disposed. */
  withholdCertificates(): Promise<InstalledFault>;
  /** Lifetime of certificates from now on. */
  setLifetime(lifetimeMs: number): Promise<void>;
  /** When sidecars come back, told to each with its next certificate; undefined leaves it to them. */
  setRefreshAfter(refreshAfterMs: number | undefined): Promise<void>;
  /** Every request for a certificate and what became of it, oldest first. */
  events(): Promise<readonly IssueEvent[]>;
}

export interface RunningAthenz extends AsyncDisposable {
  readonly url: string;
  /** `<url>/zms/v1`, as `zms-cli -z` wants it. */
  readonly zmsUrl: string;
  /** `<url>/zts/v1`, as ZTS_URL of the sidecar. */
  readonly ztsUrl: string;
  readonly authority: Authority;
  /** In this process: the roles themselves; also the RoleChecker of a CKMS beside it. */
  readonly zms: Zms;
  /** In this process: what issues the certificates. */
  readonly zts: Zts;
  /** The same for whoever may be in another process one day. */
  readonly control: AthenzControl;
}

/** ZMS and ZTS on one HTTPS port, with the authority behind them. */
export async function startAthenz(options: AthenzOptions = {}): Promise<RunningAthenz> {
  const authority =
    options.authority ?? (await createAuthority({ commonName: "Athenz simulator CA" }));
  const host = options.host ?? "127.0.0.1";
  const own = await authority.issue({
    commonName: "athenz",
    dnsNames: ["localhost", ...(options.dnsNames ?? [])],
    // A pod on another machine has only the address that is listened on.
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
      // A certificate is asked for and not demanded: registration happens before there is one.
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

/** What fastify itself refuses (such as a body that is not JSON) carries its status. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" ? status : 500;
}
