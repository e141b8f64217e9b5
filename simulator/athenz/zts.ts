// oxlint-disable-next-line import/no-unassigned-import -- has to run before @peculiar/x509 loads
import "#fixtures/reflect-metadata.ts";

import { X509Certificate } from "node:crypto";
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { messageOf } from "#consumer/errors.ts";
import type { Authority } from "#fixtures/certificates.ts";
import { RequestFaults } from "#simulator/http/request-faults.ts";
import type { RequestFaultAction } from "#simulator/http/request-faults.ts";
import { ResourceError } from "./zms.ts";

/** InstanceRegisterInformation of the ZTS RDL (core/zts/src/main/rdl/Instance.rdli), the fields that are read. */
export interface InstanceRegisterInformation {
  readonly provider: string;
  readonly domain: string;
  readonly service: string;
  readonly attestationData: string;
  readonly csr: string;
  /** Minutes; the server's own limit wins. */
  readonly expiryTime?: number;
}

/** InstanceIdentity of the ZTS RDL. */
interface InstanceIdentity {
  readonly provider: string;
  readonly name: string;
  readonly instanceId: string;
  readonly x509Certificate: string;
  readonly x509CertificateSigner: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

export interface IssueEvent {
  readonly type: "registered" | "refreshed" | "withheld" | "refused";
  readonly principal: string;
  /** Of the instance that asked; null when its request names none. */
  readonly instanceId: string | null;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** End of the certificate; only when one was issued. */
  readonly notAfterMs?: number;
  readonly serialNumber?: string;
  /** Such as `CN=Athenz simulator CA`. */
  readonly issuer?: string;
  /** Why not; only when none was issued. */
  readonly reason?: string;
}

/** A request for a certificate, before anything is issued. */
interface IssueRequest {
  readonly type: "registered" | "refreshed";
  readonly principal: string;
  readonly instanceId: string;
  /** No certificate has been issued for this instance yet. */
  readonly isFirst: boolean;
}

/** Holds requests; disposing releases them. */
interface IssueHold extends AsyncDisposable {
  /** Lets what is held go on, and holds nothing any more. Again: nothing. */
  release(): void;
}

/** A request for a certificate, by which a fault chooses it. */
export interface CertificateRequest {
  readonly principal: string;
  /** null when the request names none. */
  readonly instanceId: string | null;
}

/** How a certificate differs from what was asked for. */
interface IssueChange {
  /** Default: certificates of every instance. */
  readonly instanceId?: string;
  /** In place of the general one. */
  readonly lifetimeMs?: number;
  /** In place of the principal: the certificate is one of somebody else. The instance may still refresh it. */
  readonly commonName?: string;
  /** In place of the usual one. ZTS itself accepts its certificates from then on. */
  readonly authority?: Authority;
  /** The instance is not told to trust the usual authority. */
  readonly withoutUsualAuthority?: boolean;
}

export interface Zts {
  /** What requests for certificates meet. */
  readonly faults: RequestFaults<CertificateRequest>;
  /** Called by whoever serves requests when one meets a fault. */
  noteFault(request: CertificateRequest, action: RequestFaultAction): void;
  /** Holds each request for which `when` gives true before anything is issued, in this process only. */
  hold(when: (request: IssueRequest) => boolean | Promise<boolean>): IssueHold;
  /** Issues differently until it is disposed. Where several changes say the same, the last one counts. */
  change(change: IssueChange): Disposable;
  /** Lifetime of certificates from now on. */
  setLifetime(lifetimeMs: number): void;
  /** Tells every sidecar, with its next certificate, when to come back; undefined leaves it to the sidecar. */
  setRefreshAfter(refreshAfterMs: number | undefined): void;
  /** Everything asked for and what became of it, oldest first. */
  events(): readonly IssueEvent[];
  register(information: InstanceRegisterInformation): Promise<InstanceIdentity>;
  refresh(
    information: InstanceRegisterInformation,
    instanceId: string,
    caller: string | null,
  ): Promise<InstanceIdentity>;
}

export interface ZtsOptions {
  readonly authority: Authority;
  /** PEM of other authorities that instances are told to trust as well. Default none. */
  readonly trustedPem?: string;
  /** Default one hour. */
  readonly lifetimeMs?: number;
  /** Called with the PEM of an authority that signs certificates from now on, beside those before. */
  readonly onAuthority?: (certificatePem: string) => void;
  /** The provider's judgement of the attestation; default: every instance is what it says. */
  readonly attest?: (information: InstanceRegisterInformation) => boolean;
}

/** Attribute of InstanceIdentity by which this simulator tells a sidecar to come back early. */
const REFRESH_AFTER_ATTRIBUTE = "simulator.refreshAfterMs";

/** What ends a request for a certificate while Athenz issues none. */
export const WITHHELD: RequestFaultAction = {
  type: "status",
  status: 503,
  message: "certificates are withheld",
};

export function createZts(options: ZtsOptions): Zts {
  const events: IssueEvent[] = [];
  /** The names under which certificates were issued, by instance. */
  const instances = new Map<string, Set<string>>();
  const faults = new RequestFaults<CertificateRequest>();
  const changes = new Set<IssueChange>();
  const holds = new Set<RequestHold>();
  let lifetimeMs = options.lifetimeMs ?? 3_600_000;
  let refreshAfterMs: number | undefined;

  function changed(instanceId: string): IssueChange {
    const concerned = [...changes].filter(
      (change) => change.instanceId === undefined || change.instanceId === instanceId,
    );
    return Object.assign({}, ...concerned);
  }

  async function passHolds(
    type: IssueRequest["type"],
    principal: string,
    information: InstanceRegisterInformation,
  ): Promise<void> {
    if (holds.size === 0) return;
    const instanceId = instanceIdOf(namesOf(information.csr).uris, information.provider);
    const isFirst = !instances.has(instanceKey(information, instanceId));
    // A hold that begins while this request is held is about later ones.
    const present = [...holds];
    for (const hold of present) await hold.pass({ type, principal, instanceId, isFirst });
  }

  async function issue(
    type: "registered" | "refreshed",
    information: InstanceRegisterInformation,
    check: (instanceId: string) => void,
  ): Promise<InstanceIdentity> {
    const principal = `${information.domain}.${information.service}`;
    try {
      await passHolds(type, principal, information);
      const names = namesOf(information.csr);
      if (names.commonName !== principal) {
        throw new ResourceError(400, `the request's common name is not ${principal}`);
      }
      const instanceId = instanceIdOf(names.uris, information.provider);
      check(instanceId);
      const askedMs = (information.expiryTime ?? Number.POSITIVE_INFINITY) * 60_000;
      const change = changed(instanceId);
      const { commonName = principal, authority = options.authority } = change;
      const { certificatePem } = await authority.sign(information.csr, {
        commonName,
        dnsNames: names.dnsNames,
        uris: names.uris,
        lifetimeMs: Math.min(change.lifetimeMs ?? lifetimeMs, askedMs),
      });
      const key = instanceKey(information, instanceId);
      instances.set(key, new Set([...(instances.get(key) ?? []), commonName]));
      const certificate = new X509Certificate(certificatePem);
      events.push({
        type,
        principal: commonName,
        instanceId,
        atMs: Date.now(),
        notAfterMs: Date.parse(certificate.validTo),
        serialNumber: certificate.serialNumber,
        issuer: certificate.issuer,
      });
      const trusted = [
        ...(change.authority === undefined ? [] : [change.authority.certificatePem]),
        ...(change.withoutUsualAuthority === true ? [] : [options.authority.certificatePem]),
        options.trustedPem ?? "",
      ];
      return {
        provider: information.provider,
        name: principal,
        instanceId,
        x509Certificate: certificatePem,
        x509CertificateSigner: trusted.join(""),
        ...(refreshAfterMs === undefined
          ? {}
          : { attributes: { [REFRESH_AFTER_ATTRIBUTE]: String(refreshAfterMs) } }),
      };
    } catch (error) {
      const instanceId = requestedInstance(information.csr, information.provider);
      const reason = messageOf(error);
      events.push({ type: "refused", principal, instanceId, atMs: Date.now(), reason });
      throw error instanceof ResourceError
        ? error
        : new ResourceError(400, `the certificate request of ${principal} cannot be used`);
    }
  }

  return {
    faults,
    noteFault: ({ principal, instanceId }, action) => {
      if (action.type === "delay") return;
      const reason = action.type === "status" ? action.message : action.type;
      events.push({ type: "withheld", principal, instanceId, atMs: Date.now(), reason });
    },
    hold: (when) => {
      const hold = new RequestHold(when, () => holds.delete(hold));
      holds.add(hold);
      return hold;
    },
    change: (change) => {
      // A copy: the same change may be made twice, and each ends by itself.
      const made = { ...change };
      changes.add(made);
      if (made.authority !== undefined) options.onAuthority?.(made.authority.certificatePem);
      return { [Symbol.dispose]: () => void changes.delete(made) };
    },
    setLifetime: (next) => void (lifetimeMs = next),
    setRefreshAfter: (next) => void (refreshAfterMs = next),
    events: () => [...events],
    register: (information) =>
      issue("registered", information, () => {
        if (options.attest?.(information) === false) {
          throw new ResourceError(403, `${information.provider} does not vouch for this instance`);
        }
      }),
    refresh: (information, instanceId, caller) =>
      issue("refreshed", information, (requested) => {
        const principal = `${information.domain}.${information.service}`;
        const issuedNames = instances.get(instanceKey(information, instanceId));
        if (caller === null) throw new ResourceError(401, "a client certificate is required");
        if (caller !== principal && issuedNames?.has(caller) !== true) {
          throw new ResourceError(403, `${caller} may not refresh ${principal}`);
        }
        if (requested !== instanceId) {
          throw new ResourceError(400, "the request names another instance");
        }
        if (issuedNames === undefined) {
          throw new ResourceError(403, `instance ${instanceId} of ${principal} is not registered`);
        }
      }),
  };
}

function instanceKey(
  { provider, domain, service }: InstanceRegisterInformation,
  instanceId: string,
): string {
  return `${provider} ${domain}.${service} ${instanceId}`;
}

/** The instance that a request for a certificate names; null when it names none or is none. */
export function requestedInstance(csr: string, provider: string): string | null {
  try {
    return instanceIdOf(namesOf(csr).uris, provider);
  } catch {
    return null;
  }
}

class RequestHold implements IssueHold {
  readonly #when: (request: IssueRequest) => boolean | Promise<boolean>;
  readonly #onRelease: () => void;
  readonly #released = Promise.withResolvers<void>();
  #isReleased = false;

  constructor(when: (request: IssueRequest) => boolean | Promise<boolean>, onRelease: () => void) {
    this.#when = when;
    this.#onRelease = onRelease;
  }

  /** Resolves when the request may go on. */
  async pass(request: IssueRequest): Promise<void> {
    if (this.#isReleased || !(await this.#when(request))) return;
    await this.#released.promise;
  }

  release(): void {
    this.#isReleased = true;
    this.#onRelease();
    this.#released.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

interface RequestNames {
  readonly commonName: string | undefined;
  readonly dnsNames: string[];
  readonly uris: string[];
}

function namesOf(csr: string): RequestNames {
  const request = new Pkcs10CertificateRequest(csr);
  const items = request.extensions
    .filter((extension) => extension instanceof SubjectAlternativeNameExtension)
    .flatMap(({ names }) => names.items);
  return {
    commonName: request.subjectName.getField("CN")[0],
    dnsNames: items.filter(({ type }) => type === "dns").map(({ value }) => value),
    uris: items.filter(({ type }) => type === "url").map(({ value }) => value),
  };
}

/** The instance id travels in the request, as `athenz://instanceid/<provider>/<id>`. */
function instanceIdOf(uris: readonly string[], provider: string): string {
  const prefix = `athenz://instanceid/${provider}/`;
  const instanceId = uris.find((uri) => uri.startsWith(prefix))?.slice(prefix.length);
  if (instanceId === undefined || instanceId === "") {
    throw new ResourceError(400, `the request has no URI ${prefix}<id>`);
  }
  return instanceId;
}
