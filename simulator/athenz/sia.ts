import { X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { jsonField } from "#simulator/http/json-fields.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import { createKeyAndRequest } from "./certificate-request.ts";
import { writeIdentity } from "./identity-files.ts";
import type { IdentityPems } from "./identity-files.ts";

export interface SiaOptions {
  /** The URL of ZTS, such as `https://127.0.0.1:4443/zts/v1`. */
  readonly ztsUrl: string;
  /** PEM of the authority that signs the certificate of the ZTS server. */
  readonly ztsAuthorityPem?: string | undefined;
  readonly provider: string;
  readonly domain: string;
  readonly service: string;
  readonly instanceId: string;
  /** The attestation data by which the instance proves its identity, as given by the provider. */
  readonly attestationData: string;
  readonly directory: string;
  /**
   * The delay before the first registration, in milliseconds. Nothing is written or sent until
   * then.
   */
  readonly delayMs: number;
  readonly refreshMs: number;
  /** The time between attempts while ZTS issues nothing, in milliseconds. */
  readonly retryMs: number;
  /** The time between the renames of certificate and key, in milliseconds. */
  readonly rotationGapMs: number;
  /** Receives one line for each event; never a key. */
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface RunningSia extends AsyncDisposable {
  /** Refreshes (or tries again) at once, or as soon as the present request has its answer. */
  refreshNow(): void;
}

/**
 * Starts the identity sidecar: it registers, writes the files, and asks for the next certificate in
 * time.
 */
export function startSia(options: SiaOptions): RunningSia {
  const stopping = new AbortController();
  let pause = new AbortController();
  let isRefreshWanted = false;
  const running = run();

  async function run(): Promise<void> {
    let identity: IdentityPems | null = null;
    try {
      await sleep(options.delayMs, undefined, { signal: stopping.signal });
      for (;;) {
        const next = await obtain(options, usable(identity), stopping.signal);
        if (next === null) {
          await pauseFor(options.retryMs);
          continue;
        }
        await writeIdentity(options.directory, next.identity, options.rotationGapMs);
        options.log(identity === null ? "identity.written" : "identity.rotated", {
          principal: `${options.domain}.${options.service}`,
          serialNumber: next.serialNumber,
          notAfter: next.notAfter,
        });
        identity = next.identity;
        await pauseFor(next.refreshAfterMs ?? options.refreshMs);
      }
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    }
  }

  async function pauseFor(durationMs: number): Promise<void> {
    pause = new AbortController();
    if (isRefreshWanted) pause.abort();
    const signal = AbortSignal.any([stopping.signal, pause.signal]);
    await sleep(durationMs, undefined, { signal }).catch((error: unknown) => {
      if (!pause.signal.aborted || stopping.signal.aborted) throw error;
    });
    isRefreshWanted = false;
  }

  return {
    refreshNow: () => {
      isRefreshWanted = true;
      pause.abort();
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** An expired certificate cannot ask for its successor: the instance has to register again. */
function usable(identity: IdentityPems | null): IdentityPems | null {
  if (identity === null) return null;
  const { validTo } = new X509Certificate(identity.certificatePem);
  return Date.parse(validTo) > Date.now() ? identity : null;
}

interface Obtained {
  readonly identity: IdentityPems;
  readonly serialNumber: string;
  readonly notAfter: string;
  readonly refreshAfterMs: number | undefined;
}

/** Returns null when ZTS issued nothing this time; the reason is logged. */
async function obtain(
  options: SiaOptions,
  present: IdentityPems | null,
  signal: AbortSignal,
): Promise<Obtained | null> {
  const { provider, domain, service, instanceId } = options;
  const { requestPem, privateKeyPem } = createKeyAndRequest({
    commonName: `${domain}.${service}`,
    dnsNames: [`${service}.${domain.replaceAll(".", "-")}.athenz.cloud`],
    uris: [`spiffe://${domain}/sa/${service}`, `athenz://instanceid/${provider}/${instanceId}`],
  });
  const registering = present === null;
  const instance = `${options.ztsUrl}/instance`;
  try {
    const { status, body } = await requestJson(
      registering ? instance : `${instance}/${provider}/${domain}/${service}/${instanceId}`,
      {
        method: "POST",
        authority: options.ztsAuthorityPem,
        identity: present ?? undefined,
        signal,
        body: registering
          ? { provider, domain, service, attestationData: options.attestationData, csr: requestPem }
          : { csr: requestPem },
      },
    );
    if (status !== 200 && status !== 201) {
      options.log("identity.refused", { status, reason: jsonField(body, "message") });
      return null;
    }
    const certificatePem = jsonField(body, "x509Certificate");
    const authorityPem = jsonField(body, "x509CertificateSigner");
    if (typeof certificatePem !== "string" || typeof authorityPem !== "string") {
      options.log("identity.refused", { status, reason: "the answer holds no certificate" });
      return null;
    }
    const { serialNumber, validTo } = new X509Certificate(certificatePem);
    return {
      identity: { certificatePem, privateKeyPem, authorityPem },
      serialNumber,
      notAfter: new Date(validTo).toISOString(),
      refreshAfterMs: refreshAfter(body),
    };
  } catch (error) {
    signal.throwIfAborted();
    options.log("identity.unreachable", { reason: String(error) });
    return null;
  }
}

/** Reads the attribute by which the simulated ZTS asks a sidecar to come back early. */
function refreshAfter(body: unknown): number | undefined {
  const value = Number(jsonField(jsonField(body, "attributes"), "simulator.refreshAfterMs"));
  return Number.isFinite(value) ? value : undefined;
}
