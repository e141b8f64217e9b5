import type { X509Certificate } from "node:crypto";

import type { Config } from "#consumer/config/load-config.ts";
import { ConsumerError, messageOf } from "#consumer/errors.ts";
import type { Clock, DependencyState, Identity, IdentitySource, Log } from "#consumer/ports.ts";
import { readSmallFile } from "#consumer/small-file.ts";
import { createOutages } from "#consumer/async/outages.ts";
import { PemFault, readAuthorities, readChain, readPrivateKey } from "./pem.ts";

export interface IdentityOptions extends Pick<
  Config["athenz"],
  "certificate" | "key" | "ca" | "reloadIntervalMs"
> {
  readonly clock: Clock;
  readonly log: Log;
}

/** The longest time for which the files may be unusable while the earlier pair is valid. A rotation takes seconds. */
const KEPT_MS_MAX = 60_000;
/** The time for which a fault that came back must stay away before it counts as over. */
const QUIET_MS = 15_000;
/** The largest file that is read; it is far above any chain or bundle. */
const FILE_BYTES_MAX = 4_194_304;
/** The name of the outage that the three files share, whichever of them is wrong. */
const FILES = "files";

/**
 * Reads the Athenz identity from three PEM files that a sidecar renews. Files are read again when the last reading is
 * older than `reloadIntervalMs`. A rotation replaces the certificate, then the key: while they do not match, or the
 * new certificate is not valid yet, the old pair is kept as long as it is valid. When the files have been unusable
 * for a minute, the source is unready with the reason and logs a warning, because otherwise nobody would notice
 * before the old pair expires.
 */
export function createIdentitySource(options: IdentityOptions): IdentitySource {
  const { clock, log } = options;
  const outages = createOutages({ clock, patienceMs: KEPT_MS_MAX, quietMs: QUIET_MS });
  let identity: Identity | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let failure = "not read yet";
  /** The reason that the last warning gave. */
  let told: string | undefined;
  let odd = "";
  let reading: Promise<Identity> | undefined;

  async function read(): Promise<Identity> {
    try {
      const next = await load(options);
      const { notAfterMs, principal } = next.identity;
      if (identity !== undefined && next.identity.certificate !== identity.certificate) {
        log.info("identity.renewed", { principal, notAfterMs });
      }
      warnOfOdd(next.odd.join("; "));
      identity = next.identity;
      readAtMs = clock.monotonicMs();
      outages.forget(FILES);
      if (told !== undefined) log.info("identity.usable", { principal, notAfterMs });
      told = undefined;
    } catch (error) {
      failure = messageOf(error);
      if (identity === undefined || identity.notAfterMs <= clock.wallMs()) {
        throw error;
      }
      keep(identity);
    }
    return identity;
  }

  function keep({ notAfterMs }: Identity): void {
    outages.note(FILES, `the files cannot be used, and the old pair is kept: ${failure}`, FILES);
    if (outages.state.ready) log.debug("identity.kept", { reason: failure });
    else if (told !== failure) {
      told = failure;
      log.warn("identity.kept", { reason: failure, expiresAt: new Date(notAfterMs).toISOString() });
    }
  }

  function warnOfOdd(reason: string): void {
    if (reason !== "" && reason !== odd) log.warn("identity.warning", { reason });
    odd = reason;
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
      // An idle pod reads its identity nowhere else, and has to see the renewed files all the same.
      if (identity !== undefined) current().catch(() => undefined);
      if (identity === undefined) {
        return { ready: false, reason: failure };
      }
      return clock.wallMs() < identity.notAfterMs
        ? outages.state
        : { ready: false, reason: expired(options.certificate, identity.notAfterMs) };
    },
  };
}

interface Loaded {
  readonly identity: Identity;
  /** The blocks that are left out of the bundle, and the faults that are yet to come; each is worth a warning. */
  readonly odd: readonly string[];
}

async function load({ certificate, key, ca, clock }: IdentityOptions): Promise<Loaded> {
  const nowMs = clock.wallMs();
  // The files are read one after another, so that the error always names the same one of several that are absent.
  const files = [await readPem(certificate), await readPem(key), await readPem(ca)] as const;
  const { chain, pem } = parse(certificate, () => readChain(files[0]));
  const secret = parse(key, () => readPrivateKey(files[1]));
  const authorities = parse(ca, () => readAuthorities(files[2], nowMs));
  const [leaf, ...others] = chain;
  if (!leaf.checkPrivateKey(secret.key)) {
    throw unusable(
      others.some((other) => other.checkPrivateKey(secret.key))
        ? `${certificate}: the certificate of the key is not the first block`
        : `${certificate} and ${key} do not match (a rotation may be under way)`,
    );
  }
  const notAfterMs = leaf.validToDate.getTime();
  if (nowMs >= notAfterMs) {
    throw unusable(expired(certificate, notAfterMs));
  }
  if (nowMs < leaf.validFromDate.getTime()) {
    throw unusable(`${certificate} does not hold before ${leaf.validFromDate.toISOString()}`);
  }
  return {
    identity: {
      certificate: pem,
      privateKey: secret.pem,
      authority: authorities.pem,
      principal: commonName(leaf),
      notAfterMs,
    },
    odd: authorities.odd.map((what) => `${ca}, ${what}`),
  };
}

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readSmallFile(file, FILE_BYTES_MAX);
  } catch (cause) {
    throw unusable(`${file} ${messageOf(cause)}`, cause);
  }
}

function parse<Result>(file: string, parser: () => Result): Result {
  try {
    return parser();
  } catch (error) {
    throw unusable(`${file} ${error instanceof PemFault ? error.message : "cannot be used"}`);
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
