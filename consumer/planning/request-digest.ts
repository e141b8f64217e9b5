import { hash } from "node:crypto";
import type { Action } from "#consumer/ports.ts";

/**
 * Returns 64 hex digits, the SHA-256 of what an action sends. An attempt compares it with the digests in earlier
 * claims, which other versions may have written, so the encoding never changes: another one would end every attempt
 * that is due at the time of an update.
 *
 * It covers the method, URL, headers and body of a request, or the arguments and environment of a command. It leaves
 * out what is the same for every attempt (the Idempotency-Key), what differs in each (`traceparent`), and what says
 * only how to send and what to make of the answer (`useIdentity`, `notAppliedStatuses`, `keepResponse`).
 */
export function digestOfRequest(action: Action): string {
  const sent =
    action.type === "http"
      ? ["http", action.method, action.url, sortedHeaders(action.headers), action.body]
      : ["command", action.command, sorted(Object.entries(action.environment))];
  return hash("sha256", JSON.stringify(["request-1", ...sent]));
}

/** The case of a header's name means nothing. */
function sortedHeaders(headers: Readonly<Record<string, string>>): readonly [string, string][] {
  return sorted(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function sorted(entries: readonly [string, string][]): readonly [string, string][] {
  return entries.toSorted(([one], [other]) => (one < other ? -1 : Number(one > other)));
}
