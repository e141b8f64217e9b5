import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";

export interface JsonRequestOptions {
  /** Defaults to GET. */
  readonly method?: "GET" | "PUT" | "POST" | "DELETE";
  /** The body, sent as JSON. A string is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * PEM of the authority that signs the server's certificate. Defaults to those that Node trusts.
   */
  readonly authority?: string | undefined;
  /** The PEM pair to present. */
  readonly identity?:
    | { readonly certificatePem: string; readonly privateKeyPem: string }
    | undefined;
  /** The time limit of the whole exchange, in milliseconds. Defaults to 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface JsonResponse {
  readonly status: number;
  /** The body: null when it is empty, the text when it is not JSON. */
  readonly body: unknown;
}

/**
 * Performs one HTTP or HTTPS exchange on a connection of its own. This module imports only Node,
 * because sidecars and commands start many times in one run. Rejects on a connection fault or the
 * timeout; an error status is a response.
 */
export function requestJson(url: string, options: JsonRequestOptions = {}): Promise<JsonResponse> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 5000);
  const signal =
    options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  const body = encodeBody(options.body);
  const settings: RequestOptions = {
    method: options.method ?? "GET",
    agent: false,
    signal,
    headers: {
      ...(body === undefined
        ? {}
        : { "content-type": "application/json", "content-length": body.length }),
      ...options.headers,
    },
    ...(options.authority === undefined ? {} : { ca: options.authority }),
    ...(options.identity === undefined
      ? {}
      : { cert: options.identity.certificatePem, key: options.identity.privateKeyPem }),
  };
  return new Promise((resolve, reject) => {
    const send = url.startsWith("https:") ? secureRequest : plainRequest;
    const outgoing = send(url, settings, (response) => {
      readResponse(response).then(resolve, reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function encodeBody(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

async function readResponse(response: IncomingMessage): Promise<JsonResponse> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.from(chunk));
  const text = Buffer.concat(chunks).toString("utf8");
  return { status: response.statusCode ?? 0, body: text === "" ? null : parseJson(text) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
