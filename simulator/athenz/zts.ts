// oxlint-disable-next-line import/no-unassigned-import -- has to run before @peculiar/x509 loads
import "#fixtures/reflect-metadata.ts";

import { X509Certificate } from "node:crypto";
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { messageOf } from "#consumer/errors.ts";
import type { Authority } from "#fixtures/certificates.ts";
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
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** End of the certificate; only when one was issued. */
  readonly notAfterMs?: number;
  readonly serialNumber?: string;
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

export interface Zts {
  /** From now on no certificate is issued (503), until released. */
  withhold(): void;
  release(): void;
  /** Holds each request for which `when` gives true before anything is issued, in this process only. */
  hold(when: (request: IssueRequest) => boolean | Promise<boolean>): IssueHold;
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
  /** The provider's judgement of the attestation; default: every instance is what it says. */
  readonly attest?: (information: InstanceRegisterInformation) => boolean;
}

/** Attribute of InstanceIdentity by which this simulator tells a sidecar to come back early. */
const REFRESH_AFTER_ATTRIBUTE = "simulator.refreshAfterMs";

export function createZts(options: ZtsOptions): Zts {
  const issued: IssueEvent[] = [];
  const instances = new Set<string>();
  const holds = new Set<RequestHold>();
  let withheld = false;
  let lifetimeMs = options.lifetimeMs ?? 3_600_000;
  let refreshAfterMs: number | undefined;

  async function passHolds(
    type: IssueRequest["type"],
    principal: string,
    information: InstanceRegisterInformation,
  ): Promise<void> {
    if (holds.size === 0) return;
    const instanceId = instanceIdOf(namesOf(information.csr).uris, information.provider);
    const isFirst = !instances.has(instanceName(information, principal, instanceId));
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
      if (withheld) throw new ResourceError(503, `certificates are withheld from ${principal}`);
      const names = namesOf(information.csr);
      if (names.commonName !== principal) {
        throw new ResourceError(400, `the request's common name is not ${principal}`);
      }
      const instanceId = instanceIdOf(names.uris, information.provider);
      check(instanceId);
      const askedMs = (information.expiryTime ?? Number.POSITIVE_INFINITY) * 60_000;
      const { certificatePem } = await options.authority.sign(information.csr, {
        commonName: principal,
        dnsNames: names.dnsNames,
        uris: names.uris,
        lifetimeMs: Math.min(lifetimeMs, askedMs),
      });
      instances.add(instanceName(information, principal, instanceId));
      const certificate = new X509Certificate(certificatePem);
      issued.push({
        type,
        principal,
        atMs: Date.now(),
        notAfterMs: Date.parse(certificate.validTo),
        serialNumber: certificate.serialNumber,
      });
      return {
        provider: information.provider,
        name: principal,
        instanceId,
        x509Certificate: certificatePem,
        x509CertificateSigner: options.authority.certificatePem + (options.trustedPem ?? ""),
        ...(refreshAfterMs === undefined
          ? {}
          : { attributes: { [REFRESH_AFTER_ATTRIBUTE]: String(refreshAfterMs) } }),
      };
    } catch (error) {
      issued.push({
        type: withheld ? "withheld" : "refused",
        principal,
        atMs: Date.now(),
        reason: messageOf(error),
      });
      throw error instanceof ResourceError
        ? error
        : new ResourceError(400, `the certificate request of ${principal} cannot be used`);
    }
  }

  return {
    withhold: () => void (withheld = true),
    release: () => void (withheld = false),
    hold: (when) => {
      const hold = new RequestHold(when, () => holds.delete(hold));
      holds.add(hold);
      return hold;
    },
    setLifetime: (next) => void (lifetimeMs = next),
    setRefreshAfter: (next) => void (refreshAfterMs = next),
    events: () => [...issued],
    register: (information) =>
      issue("registered", information, () => {
        if (options.attest?.(information) === false) {
          throw new ResourceError(403, `${information.provider} does not vouch for this instance`);
        }
      }),
    refresh: (information, instanceId, caller) =>
      issue("refreshed", information, (requested) => {
        const principal = `${information.domain}.${information.service}`;
        if (caller === null) throw new ResourceError(401, "a client certificate is required");
        if (caller !== principal) {
          throw new ResourceError(403, `${caller} may not refresh ${principal}`);
        }
        if (requested !== instanceId) {
          throw new ResourceError(400, "the request names another instance");
        }
        if (!instances.has(instanceName(information, principal, instanceId))) {
          throw new ResourceError(403, `instance ${instanceId} of ${principal} is not registered`);
        }
      }),
  };
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

function instanceName(
  { provider }: InstanceRegisterInformation,
  principal: string,
  instanceId: string,
): string {
  return `${provider} ${principal} ${instanceId}`;
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
