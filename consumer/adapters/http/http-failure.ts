import type { SendResult } from "#consumer/ports.ts";
import { failureReason, rootFailure } from "./fetch-failure.ts";

export interface FailedSend {
  /** True when TCP and TLS were established, as far as this side could see. */
  readonly established: boolean;
  /** True when the deadline passed. */
  readonly late: boolean;
  readonly deadlineMs: number;
}

/**
 * Returns the result of a request without an answer. Before a connection was established nothing can have been
 * applied.
 */
export function resultOfFailure(
  error: unknown,
  { established, late, deadlineMs }: FailedSend,
): SendResult {
  const reason = failureReason(error);
  if (!established) {
    const detail = late ? `no connection within ${String(deadlineMs)} ms` : reason;
    return { outcome: "failed-not-applied", detail };
  }
  if (!late && refusedByTls(error)) {
    return { outcome: "failed-not-applied", detail: reason };
  }
  const detail = late
    ? `no answer within ${String(deadlineMs)} ms`
    : `the connection broke after it stood: ${reason}`;
  return { outcome: "in-doubt", detail };
}

/**
 * Recognizes a refused client certificate. With TLS 1.3 the client's side of the handshake ends before the server has
 * checked that certificate. The refusal is an alert, which is sent before any request is read; a server that just
 * closes the connection leaves the request in doubt.
 */
function refusedByTls(error: unknown): boolean {
  const { code } = rootFailure(error);
  return (
    typeof code === "string" &&
    /^ERR_SSL_.*ALERT_(BAD_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED|HANDSHAKE_FAILURE)/.test(
      code,
    )
  );
}
