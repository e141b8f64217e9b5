import type { HttpAction, IdentitySource, SendOptions, SendResult } from "#consumer/ports.ts";
import { openConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";
import { failureReason } from "./fetch-failure.ts";
import { resultOfFailure } from "./http-failure.ts";
import { credentialsOf, maskCredentials } from "#consumer/adapters/log/masking.ts";

export interface HttpActionOptions extends SendOptions {
  readonly identity: IdentitySource;
}

const DETAIL_LENGTH_MAX = 500;
/**
 * The number of bytes that are read of a failure's answer. It is larger than what is kept, so that a secret is not
 * cut in two before it is masked.
 */
const ANSWER_LENGTH_MAX = 8192;
const REDIRECT = { from: 300, to: 399 };

/**
 * Statuses that mean "not now", with which nothing should have been applied. A proxy in between may send them too,
 * after it passed the request on, so they prove nothing unless the rule says so (`notAppliedStatuses`).
 */
const UNDECIDED_STATUSES = new Set([408, 425, 429]);

/**
 * Sends one request on a connection of its own, without retry, redirect or reuse. The result is:
 *
 * - `done`: any 2xx.
 * - `failed-not-applied`: no connection came about (DNS, refused, TCP or TLS timeout, TLS refused by either side, no
 *   usable identity), or a status that the rule declares.
 * - `rejected`: 3xx, and 4xx but 407, 408, 421, 425 and 429.
 * - `in-doubt`: everything else: 5xx, 408, 407 and 421 (which fetch does not hand on), 425, 429, or a deadline or a
 *   broken connection once it was established.
 */
export async function sendHttp(
  action: HttpAction,
  options: HttpActionOptions,
): Promise<SendResult> {
  const { detail, ...result } = await sendOnce(action, options);
  // The text of a failure may quote a header or URL that could not be sent.
  return { ...result, detail: detailOf(action, detail) };
}

async function sendOnce(action: HttpAction, options: HttpActionOptions): Promise<SendResult> {
  let tls: ConnectionOptions["tls"];
  try {
    tls = await tlsOptions(action, options.identity);
  } catch (error) {
    return { outcome: "failed-not-applied", detail: `no identity: ${failureReason(error)}` };
  }
  await using connection = openConnection({
    connectTimeoutMs: options.deadlineMs,
    ...(tls === undefined ? {} : { tls }),
  });
  const deadline = AbortSignal.timeout(options.deadlineMs);
  try {
    const response = await connection.fetch(action.url, requestOf(action, options, deadline));
    const outcome = outcomeOf(response.status, action);
    const status = `HTTP ${String(response.status)}`;
    if (outcome === "done") {
      // It is read to its end when that is near, so that an endpoint is not cut off in the middle of its answer.
      await answerOf(response, DETAIL_LENGTH_MAX);
      return { outcome, detail: status };
    }
    const answer = await answerOf(response, ANSWER_LENGTH_MAX);
    return { outcome, detail: answer === "" ? status : `${status}: ${answer}` };
  } catch (error) {
    return resultOfFailure(error, {
      established: connection.established,
      late: deadline.aborted,
      deadlineMs: options.deadlineMs,
    });
  }
}

/**
 * Returns the TLS options. The Athenz authorities are trusted when the identity is used; other endpoints are verified
 * by the system's authorities.
 */
async function tlsOptions(
  action: HttpAction,
  identity: IdentitySource,
): Promise<ConnectionOptions["tls"]> {
  if (!action.useIdentity) {
    return undefined;
  }
  const { authority, certificate, privateKey } = await identity.current();
  return { ca: authority, cert: certificate, key: privateKey };
}

function requestOf(
  action: HttpAction,
  { idempotencyKey, traceparent }: HttpActionOptions,
  signal: AbortSignal,
): RequestInit {
  const headers = new Headers(action.headers);
  headers.set("idempotency-key", idempotencyKey);
  headers.set("traceparent", traceparent);
  if (action.body !== null && !headers.has("content-type")) {
    headers.set("content-type", "application/json");
  }
  return {
    method: action.method,
    headers,
    body: action.body === null ? null : Buffer.from(action.body, "utf8"),
    redirect: "manual",
    signal,
  };
}

function outcomeOf(status: number, action: HttpAction): SendResult["outcome"] {
  if (status >= 200 && status <= 299) {
    return "done";
  }
  if (action.notAppliedStatuses.includes(status)) {
    return "failed-not-applied";
  }
  const refused = status >= REDIRECT.from && status <= 499 && !UNDECIDED_STATUSES.has(status);
  return refused ? "rejected" : "in-doubt";
}

/** Reads the beginning of the answer. The status has decided already, so a body that breaks off changes nothing. */
async function answerOf(response: Response, lengthMax: number): Promise<string> {
  const location = response.headers.get("location");
  // The query is left out, since it may carry a token and this text goes into outcomes and dead letters.
  let text = location === null ? "" : `to ${location.replace(/[?#].*$/s, "")} `;
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= lengthMax) {
        break;
      }
    }
  } catch {
    text += "(the body broke off)";
  }
  return text.trim();
}

/** Makes one short line without credentials; the answer is left out when the action wants none of it kept. */
function detailOf(action: HttpAction, whole: string): string {
  const text = action.keepResponse === "never" ? whole.replace(/^(HTTP \d+): .*$/s, "$1") : whole;
  const line = maskCredentials(text, credentialsOf(action)).replaceAll(/[\p{Cc}\s]+/gu, " ");
  return line.slice(0, DETAIL_LENGTH_MAX).trim();
}
