import { X509Certificate } from "node:crypto";
import { messageOf } from "#consumer/errors.ts";
import type { Authority } from "#fixtures/certificates.ts";
import { RequestFaults } from "#simulator/http/request-faults.ts";
import type { RequestFaultAction } from "#simulator/http/request-faults.ts";
import { instanceIdOf, namesOf, requestedInstance } from "./certificate-names.ts";
import { RequestHold } from "./issue-hold.ts";
import type { IssueHold, IssueRequest } from "./issue-hold.ts";
import { ResourceError } from "./zms.ts";

/**
 * The InstanceRegisterInformation of the ZTS RDL (core/zts/src/main/rdl/Instance.rdli): the fields
 * that are read.
 */
export interface InstanceRegisterInformation {
  readonly provider: string;
  readonly domain: string;
  readonly service: string;
  readonly attestationData: string;
  readonly csr: string;
  /** The lifetime that is asked for, in minutes. The server's own limit wins. */
  readonly expiryTime?: number;
}

/** The InstanceIdentity of the ZTS RDL. */
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
  /** The instance that asked; null when its request names none. */
  readonly instanceId: string | null;
  /** The time, in milliseconds since the epoch. */
  readonly atMs: number;
  /** The end of the certificate. Present only when one was issued. */
  readonly notAfterMs?: number;
  readonly serialNumber?: string;
  /** The issuer, such as `CN=Athenz simulator CA`. */
  readonly issuer?: string;
  /** The reason of the refusal. Present only when no certificate was issued. */
  readonly reason?: string;
}

/** The facts about a request for a certificate by which a fault selects it. */
export interface CertificateRequest {
  readonly principal: string;
  /** The instance; null when the request names none. */
  readonly instanceId: string | null;
}

/** The differences between an issued certificate and the one that was asked for. */
interface IssueChange {
  /** The instance whose certificates are changed. Defaults to every instance. */
  readonly instanceId?: string;
  /** A lifetime that replaces the general one, in milliseconds. */
  readonly lifetimeMs?: number;
  /**
   * A name that replaces the principal: the certificate belongs to somebody else. The instance may
   * still refresh it.
   */
  readonly commonName?: string;
  /**
   * An authority that replaces the usual one. From then on, ZTS itself accepts its certificates.
   */
  readonly authority?: Authority;
  /** True when the instance is not told to trust the usual authority. */
  readonly withoutUsualAuthority?: boolean;
}

export interface Zts {
  /** The faults that apply to requests for certificates. */
  readonly faults: RequestFaults<CertificateRequest>;
  /** Called by the server when a fault applies to a request. */
  noteFault(request: CertificateRequest, action: RequestFaultAction): void;
  /**
   * Holds each request for which `when` returns true, before anything is issued. In this process
   * only.
   */
  hold(when: (request: IssueRequest) => boolean | Promise<boolean>): IssueHold;
  /**
   * Changes what is issued until the result is disposed of. When several changes set the same
   * field, the last one counts.
   */
  change(change: IssueChange): Disposable;
  /** Sets the lifetime of the certificates that are issued from now on, in milliseconds. */
  setLifetime(lifetimeMs: number): void;
  /**
   * Tells every sidecar, with its next certificate, when to come back. undefined leaves it to the
   * sidecar.
   */
  setRefreshAfter(refreshAfterMs: number | undefined): void;
  /** Returns all requests with their outcome, oldest first. */
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
  /** PEM of other authorities that instances are told to trust as well. Defaults to none. */
  readonly trustedPem?: string;
  /** The lifetime of certificates, in milliseconds. Defaults to one hour. */
  readonly lifetimeMs?: number;
  /** Called with the PEM of an additional authority that signs certificates from now on. */
  readonly onAuthority?: (certificatePem: string) => void;
  /** Checks the attestation, as the provider does. By default every instance is accepted. */
  readonly attest?: (information: InstanceRegisterInformation) => boolean;
}

/** The attribute of InstanceIdentity by which this simulator tells a sidecar to come back early. */
const REFRESH_AFTER_ATTRIBUTE = "simulator.refreshAfterMs";

/** The fault that answers requests for a certificate while Athenz issues none. */
export const WITHHELD: RequestFaultAction = {
  type: "status",
  status: 503,
  message: "certificates are withheld",
};

export function createZts(options: ZtsOptions): Zts {
  return new CertificateIssuer(options);
}

class CertificateIssuer implements Zts {
  readonly faults = new RequestFaults<CertificateRequest>();
  readonly #options: ZtsOptions;
  readonly #events: IssueEvent[] = [];
  /** The names under which certificates were issued, by instance. */
  readonly #instances = new Map<string, Set<string>>();
  readonly #changes = new Set<IssueChange>();
  readonly #holds = new Set<RequestHold>();
  #lifetimeMs: number;
  #refreshAfterMs: number | undefined;

  constructor(options: ZtsOptions) {
    this.#options = options;
    this.#lifetimeMs = options.lifetimeMs ?? 3_600_000;
  }

  noteFault({ principal, instanceId }: CertificateRequest, action: RequestFaultAction): void {
    if (action.type === "delay") return;
    const reason = action.type === "status" ? action.message : action.type;
    this.#events.push({ type: "withheld", principal, instanceId, atMs: Date.now(), reason });
  }

  hold(when: (request: IssueRequest) => boolean | Promise<boolean>): IssueHold {
    const hold = new RequestHold(when, () => this.#holds.delete(hold));
    this.#holds.add(hold);
    return hold;
  }

  change(change: IssueChange): Disposable {
    // The copy allows the same change to be made twice and each to end by itself.
    const made = { ...change };
    this.#changes.add(made);
    if (made.authority !== undefined) this.#options.onAuthority?.(made.authority.certificatePem);
    return { [Symbol.dispose]: () => void this.#changes.delete(made) };
  }

  setLifetime(lifetimeMs: number): void {
    this.#lifetimeMs = lifetimeMs;
  }

  setRefreshAfter(refreshAfterMs: number | undefined): void {
    this.#refreshAfterMs = refreshAfterMs;
  }

  events(): readonly IssueEvent[] {
    return [...this.#events];
  }

  register(information: InstanceRegisterInformation): Promise<InstanceIdentity> {
    return this.#issue("registered", information, () => {
      if (this.#options.attest?.(information) === false) {
        throw new ResourceError(403, `${information.provider} does not vouch for this instance`);
      }
    });
  }

  refresh(
    information: InstanceRegisterInformation,
    instanceId: string,
    caller: string | null,
  ): Promise<InstanceIdentity> {
    return this.#issue("refreshed", information, (requested) => {
      const principal = principalOf(information);
      const issuedNames = this.#instances.get(instanceKey(information, instanceId));
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
    });
  }

  async #issue(
    type: "registered" | "refreshed",
    information: InstanceRegisterInformation,
    check: (instanceId: string) => void,
  ): Promise<InstanceIdentity> {
    const principal = principalOf(information);
    try {
      await this.#passHolds(type, information);
      return await this.#sign(type, information, check);
    } catch (error) {
      const instanceId = requestedInstance(information.csr, information.provider);
      const reason = messageOf(error);
      this.#events.push({ type: "refused", principal, instanceId, atMs: Date.now(), reason });
      throw error instanceof ResourceError
        ? error
        : new ResourceError(400, `the certificate request of ${principal} cannot be used`);
    }
  }

  async #passHolds(
    type: IssueRequest["type"],
    information: InstanceRegisterInformation,
  ): Promise<void> {
    if (this.#holds.size === 0) return;
    const principal = principalOf(information);
    const instanceId = instanceIdOf(namesOf(information.csr).uris, information.provider);
    const isFirst = !this.#instances.has(instanceKey(information, instanceId));
    // A hold that begins while this request is held applies to later requests only.
    const present = [...this.#holds];
    for (const hold of present) await hold.pass({ type, principal, instanceId, isFirst });
  }

  async #sign(
    type: "registered" | "refreshed",
    information: InstanceRegisterInformation,
    check: (instanceId: string) => void,
  ): Promise<InstanceIdentity> {
    const principal = principalOf(information);
    const { commonName: requestedName, dnsNames, uris } = namesOf(information.csr);
    if (requestedName !== principal) {
      throw new ResourceError(400, `the request's common name is not ${principal}`);
    }
    const instanceId = instanceIdOf(uris, information.provider);
    check(instanceId);
    const askedMs = (information.expiryTime ?? Number.POSITIVE_INFINITY) * 60_000;
    const change = this.#changeOf(instanceId);
    const { commonName = principal, authority = this.#options.authority } = change;
    const lifetimeMs = Math.min(change.lifetimeMs ?? this.#lifetimeMs, askedMs);
    const names = { commonName, dnsNames, uris };
    const { certificatePem } = await authority.sign(information.csr, { ...names, lifetimeMs });
    const key = instanceKey(information, instanceId);
    this.#instances.set(key, new Set([...(this.#instances.get(key) ?? []), commonName]));
    const certificate = new X509Certificate(certificatePem);
    this.#events.push({
      type,
      principal: commonName,
      instanceId,
      atMs: Date.now(),
      notAfterMs: Date.parse(certificate.validTo),
      serialNumber: certificate.serialNumber,
      issuer: certificate.issuer,
    });
    return {
      provider: information.provider,
      name: principal,
      instanceId,
      x509Certificate: certificatePem,
      x509CertificateSigner: this.#trustedPem(change),
      ...(this.#refreshAfterMs === undefined
        ? {}
        : { attributes: { [REFRESH_AFTER_ATTRIBUTE]: String(this.#refreshAfterMs) } }),
    };
  }

  /** Merges the changes that apply to an instance. */
  #changeOf(instanceId: string): IssueChange {
    const applicable = [...this.#changes].filter(
      (change) => change.instanceId === undefined || change.instanceId === instanceId,
    );
    return Object.assign({}, ...applicable);
  }

  /** Returns PEM of the authorities that the instance is told to trust. */
  #trustedPem(change: IssueChange): string {
    const { authority, trustedPem = "" } = this.#options;
    return [
      ...(change.authority === undefined ? [] : [change.authority.certificatePem]),
      ...(change.withoutUsualAuthority === true ? [] : [authority.certificatePem]),
      trustedPem,
    ].join("");
  }
}

function principalOf({ domain, service }: InstanceRegisterInformation): string {
  return `${domain}.${service}`;
}

function instanceKey(
  { provider, domain, service }: InstanceRegisterInformation,
  instanceId: string,
): string {
  return `${provider} ${domain}.${service} ${instanceId}`;
}
