import type { Config } from "#consumer/config/load-config.ts";
import { ConsumerError, messageOf } from "#consumer/errors.ts";
import type { DependencyState, IdentitySource, Log, Secrets } from "#consumer/ports.ts";
import { openConnection } from "./http/connection.ts";
import { failureReason } from "./http/fetch-failure.ts";
import { secretText } from "./secret-text.ts";

export interface CkmsOptions extends Pick<Config["ckms"], "url" | "keyGroup" | "requestTimeoutMs"> {
  readonly identity: IdentitySource;
  readonly log: Log;
}

interface Fetching extends CkmsOptions {
  readonly warn: (name: string, reason: string) => void;
}

const BODY_BYTES_MAX = 65_536;
const MESSAGE_LENGTH_MAX = 300;

/**
 * Fetches secrets of one CKMS key group, over mTLS with the Athenz identity: `GET
 * /v1/keygroups/{keyGroup}/keys/{name}` answers `{"value": base64}`. Every fetch opens a new connection with the
 * present identity; nothing is cached.
 */
export function createSecrets(options: CkmsOptions): Secrets {
  let state: DependencyState = { ready: false, reason: "not fetched yet" };
  /** The last warning about each secret. It is logged once, since a secret is fetched at every connection. */
  const odd = new Map<string, string>();
  const warn = (name: string, reason: string): void => {
    if (odd.get(name) === reason) return;
    odd.set(name, reason);
    options.log.warn("secret.warning", { name, reason });
  };
  return {
    async fetch(name, signal) {
      try {
        const value = await fetchSecret(name, signal, { ...options, warn });
        state = { ready: true };
        return value;
      } catch (error) {
        state = { ready: false, reason: messageOf(error) };
        throw error;
      }
    },
    get state() {
      return state;
    },
  };
}

async function fetchSecret(
  name: string,
  signal: AbortSignal | undefined,
  options: Fetching,
): Promise<string> {
  const { identity, keyGroup, requestTimeoutMs } = options;
  const base = `${options.url.replace(/\/+$/, "")}/v1/keygroups/${encodeURIComponent(keyGroup)}`;
  const url = `${base}/keys/${encodeURIComponent(name)}`;
  const { authority, certificate, privateKey } = await identity.current();
  await using connection = openConnection({
    connectTimeoutMs: requestTimeoutMs,
    tls: { ca: authority, cert: certificate, key: privateKey },
  });
  const timeout = AbortSignal.timeout(requestTimeoutMs);
  try {
    const response = await connection.fetch(url, {
      redirect: "manual",
      headers: { accept: "application/json" },
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    return readSecret(name, response.status, await readBounded(response), options);
  } catch (cause) {
    if (cause instanceof ConsumerError) {
      throw cause;
    }
    signal?.throwIfAborted();
    const reason = timeout.aborted
      ? `no answer within ${String(requestTimeoutMs)} ms`
      : failureReason(cause);
    throw unavailable(name, options, reason, cause);
  }
}

function readSecret(name: string, status: number, body: unknown, options: Fetching): string {
  if (status === 401 || status === 403) {
    throw new ConsumerError(
      "secret-denied",
      `CKMS refuses secret ${name} of ${options.keyGroup} (HTTP ${String(status)}): ${refusalOf(body)}`,
    );
  }
  if (status === 404) {
    throw unavailable(name, options, "CKMS does not know it (HTTP 404)");
  }
  if (status !== 200) {
    throw unavailable(name, options, `CKMS answered HTTP ${String(status)}`);
  }
  const value = fieldOf(body, "value");
  const bytes = typeof value === "string" ? fromBase64(value) : undefined;
  if (bytes === undefined) {
    throw unavailable(name, options, "the answer holds no base64 value");
  }
  const secret = secretText(bytes);
  if ("refused" in secret) throw unavailable(name, options, `the secret ${secret.refused}`);
  if (secret.odd !== undefined) options.warn(name, `the secret ${secret.odd}`);
  return secret.text;
}

/**
 * Decodes base64, with or without its padding. Returns undefined for any other text, of which the decoder of Node
 * would skip the characters that it does not know.
 */
function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  const exact = bytes.toString("base64");
  return text === exact || text === exact.replace(/=+$/, "") ? bytes : undefined;
}

/** Returns the JSON of the body; undefined when it is not JSON or too long. */
async function readBounded(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      return undefined;
    }
    chunks.push(chunk);
  }
  try {
    const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    return parsed;
  } catch {
    return undefined;
  }
}

/** Returns the message of a refusal, for a person. It holds no secret. */
function refusalOf(body: unknown): string {
  const message = fieldOf(body, "message");
  return typeof message === "string"
    ? message.replaceAll(/\p{Cc}+/gu, " ").slice(0, MESSAGE_LENGTH_MAX)
    : "no reason given";
}

function fieldOf(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? Reflect.get(body, name) : undefined;
}

function unavailable(
  name: string,
  { keyGroup, url }: CkmsOptions,
  reason: string,
  cause?: unknown,
): ConsumerError {
  return new ConsumerError(
    "secret-unavailable",
    `secret ${name} of ${keyGroup} from ${url}: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}
