import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

import type { Config } from "../config.ts";
import { ConsumerError, systemCode, messageOf } from "../errors.ts";
import type { Clock, DependencyState, Identity, IdentitySource, Log } from "../ports.ts";

export interface IdentityOptions extends Pick<
  Config["athenz"],
  "certificate" | "key" | "ca" | "reloadIntervalMs"
> {
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The Athenz identity in three PEM files that a sidecar renews. Files are read again when the last reading is
 * older than `reloadIntervalMs`. A rotation replaces the certificate, then the key: while they do not match,
 * or the new certificate does not hold yet, the old pair stays as long as it is valid.
 */
export function createIdentitySource(options: IdentityOptions): IdentitySource {
  const { clock, log } = options;
  let identity: Identity | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let failure = "not read yet";
  let reading: Promise<Identity> | undefined;

  async function read(): Promise<Identity> {
    try {
      const next = await load(options);
      if (identity !== undefined && next.certificate !== identity.certificate) {
        log.info("identity.renewed", { principal: next.principal, notAfterMs: next.notAfterMs });
      }
      identity = next;
      readAtMs = clock.monotonicMs();
    } catch (error) {
      failure = messageOf(error);
      if (identity === undefined || identity.notAfterMs <= clock.wallMs()) {
        throw error;
      }
      log.debug("identity.kept", { reason: failure });
    }
    return identity;
  }

  async function current(): Promise<Identity> {
    if (identity !== undefined && clock.monotonicMs() - readAtMs < options.reloadIntervalMs) {
      if (clock.wallMs() < identity.notAfterMs) {
        return identity;
      }
    }
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  return {
    current,
    get state(): DependencyState {
      // A pod that is idle asks for its identity nowhere else: the renewed files have to be seen all the same.
      if (identity !== undefined) current().catch(() => undefined);
      if (identity === undefined) {
        return { ready: false, reason: failure };
      }
      return clock.wallMs() < identity.notAfterMs
        ? { ready: true }
        : { ready: false, reason: expired(options.certificate, identity.notAfterMs) };
    },
  };
}

async function load({ certificate, key, ca, clock }: IdentityOptions): Promise<Identity> {
  // One after another, so that of several absent files always the same one is named.
  const certificatePem = await readPem(certificate);
  const privateKey = await readPem(key);
  const authority = await readPem(ca);
  const leaf = parse(certificate, () => new X509Certificate(certificatePem));
  const secretKey = parse(key, () => createPrivateKey(privateKey));
  parse(ca, () => new X509Certificate(authority));
  if (!leaf.checkPrivateKey(secretKey)) {
    throw unusable(`${certificate} and ${key} do not match (a rotation may be under way)`);
  }
  const notAfterMs = leaf.validToDate.getTime();
  if (clock.wallMs() >= notAfterMs) {
    throw unusable(expired(certificate, notAfterMs));
  }
  if (clock.wallMs() < leaf.validFromDate.getTime()) {
    throw unusable(`${certificate} does not hold before ${leaf.validFromDate.toISOString()}`);
  }
  return {
    certificate: certificatePem,
    privateKey,
    authority,
    principal: commonName(leaf),
    notAfterMs,
  };
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unusable(`${file} cannot be read: ${systemCode(cause) ?? String(cause)}`, cause);
  }
}

/** What the parser says may quote the input: for a key that would be a secret, so only the file is named. */
function parse<Result>(file: string, parser: () => Result): Result {
  try {
    return parser();
  } catch {
    throw unusable(`${file} is not valid PEM`);
  }
}

function commonName(leaf: X509Certificate): string {
  const line = leaf.subject.split("\n").find((part) => part.startsWith("CN="));
  return line?.slice("CN=".length) ?? "";
}

function expired(file: string, notAfterMs: number): string {
  return `${file} expired at ${new Date(notAfterMs).toISOString()}`;
}

function unusable(message: string, cause?: unknown): ConsumerError {
  return new ConsumerError("identity-unusable", message, cause === undefined ? {} : { cause });
}
