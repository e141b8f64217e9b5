import { X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { jsonField } from "#simulator/http/json-fields.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import { createKeyAndRequest } from "./certificate-request.ts";
import { writeIdentity } from "./identity-files.ts";
import type { IdentityPems } from "./identity-files.ts";

export interface SiaOptions {
  /** Such as `https://127.0.0.1:4443/zts/v1`. */
  readonly ztsUrl: string;
  /** PEM that signs the ZTS server. */
  readonly ztsAuthorityPem?: string | undefined;
  readonly provider: string;
  readonly domain: string;
  readonly service: string;
  readonly instanceId: string;
  /** What the provider gave this instance to prove itself with. */
  readonly attestationData: string;
  readonly directory: string;
  /** Before the first registration; nothing is written or sent until then. */
  readonly delayMs: number;
  readonly refreshMs: number;
  /** Between attempts while ZTS gives nothing. */
  readonly retryMs: number;
  /** Between the renames of certificate and key. */
  readonly rotationGapMs: number;
  /** Receives one line for each thing that happened; never a key. */
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface RunningSia extends AsyncDisposable {
  /** Refreshes (or tries again) at once; when a request is under way, as soon as that has its answer. */
  refreshNow(): void;
}

/** The identity sidecar: registers, writes the files, comes back in time for the next certificate. */
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

/** An expired certificate cannot ask for its successor: the instance registers again. */
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

/** null when ZTS gave nothing this time; the reason is logged. */
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

/** The attribute by which the simulated ZTS asks a sidecar to come back early. */
function refreshAfter(body: unknown): number | undefined {
  const value = Number(jsonField(jsonField(body, "attributes"), "simulator.refreshAfterMs"));
  return Number.isFinite(value) ? value : undefined;
}
