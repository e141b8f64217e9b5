import type { RequestFaultAction } from "#simulator/http/request-faults.ts";

/**
 * `unavailable` answers 503, `hang` does not answer until it is healed, `reset` closes the
 * connection without an answer.
 */
export const OUTAGE_KINDS = ["unavailable", "hang", "reset"] as const;

export type OutageKind = (typeof OUTAGE_KINDS)[number];

/** Returns the action of an outage. @param who the name of the server, for its answer */
export function outageAction(kind: OutageKind, who: string): RequestFaultAction {
  return kind === "unavailable"
    ? { type: "status", status: 503, message: `${who} is unavailable` }
    : { type: kind };
}
