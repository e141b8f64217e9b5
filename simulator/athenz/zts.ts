// oxlint-disable-next-line import/no-unassigned-import -- has to run before @peculiar/x509 loads
import "#fixtures/reflect-metadata.ts";

import { X509Certificate } from "node:crypto";
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { messageOf } from "#consumer/errors.ts";
import type { Authority } from "#fixtures/certificates.ts";
import { RequestFaults } from "#simulator/http/request-faults.ts";
import type { RequestFaultAction } from "#simulator/http/request-faults.ts";
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

/** A request for a certificate, before anything is issued. */
interface IssueRequest {
  readonly type: "registered" | "refreshed";
  readonly principal: string;
  readonly instanceId: string;
  /** True when no certificate has been issued for this instance yet. */
  readonly isFirst: boolean;
}

/** Holds requests. Disposing releases them. */
interface IssueHold extends AsyncDisposable {
  /** Lets the held requests go on and holds no more. A second call does nothing. */
  release(): void;
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
    // A hold that begins while this request is held applies to later requests only.
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
      // The copy allows the same change to be made twice and each to end by itself.
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

/**
 * Returns the instance that a certificate request names, or null when it names none or cannot be
 * read.
 */
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

/** Reads the instance id from the request's URI `athenz://instanceid/<provider>/<id>`. */
function instanceIdOf(uris: readonly string[], provider: string): string {
  const prefix = `athenz://instanceid/${provider}/`;
  const instanceId = uris.find((uri) => uri.startsWith(prefix))?.slice(prefix.length);
  if (instanceId === undefined || instanceId === "") {
    throw new ResourceError(400, `the request has no URI ${prefix}<id>`);
  }
  return instanceId;
}
