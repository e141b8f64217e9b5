import { hasCode, systemCode } from "#consumer/errors.ts";
import type { Claim, Claims, Outcome } from "#consumer/history/claims/claims.ts";
import type { Clock, Log, Metrics } from "#consumer/ports.ts";
import type { Resolution } from "#consumer/history/claims/resolution.ts";

/** The run that holds an attempt, as far as its claim says. */
export type Holder = Pick<
  Claim,
  "key" | "attempt" | "nonce" | "pod" | "claimedAtMs" | "requestDigest"
> & {
  /** The damage of its claim, when nothing else is known. */
  readonly damage?: string;
};

interface Observers {
  readonly log: Log;
  readonly metrics: Metrics;
}

interface Dependencies extends Observers {
  readonly clock: Pick<Clock, "wallMs">;
  readonly history: { readonly claims: Pick<Claims, "readClaim" | "readOutcome"> };
}

/**
 * Reads which run holds the attempt; undefined when no run does. A claim is written whole before it is linked, so one
 * that cannot be parsed was damaged afterwards. Its name is taken all the same, by an unknown run, and it ends as the
 * claim of a dead owner does.
 */
export async function readHolder(
  key: string,
  attempt: number,
  dependencies: Dependencies,
): Promise<Holder | undefined> {
  try {
    return await dependencies.history.claims.readClaim(key, attempt);
  } catch (error) {
    const damage = damageOf(error, dependencies);
    return { key, attempt, nonce: "", pod: "unknown", claimedAtMs: 0, damage };
  }
}

/**
 * Reads how an attempt ended; undefined when it has no outcome yet. An outcome that is damaged counts as in doubt:
 * its content is lost, and no other can be written.
 */
export async function readEnd(
  key: string,
  attempt: number,
  dependencies: Dependencies,
): Promise<Outcome | undefined> {
  try {
    return await dependencies.history.claims.readOutcome(key, attempt);
  } catch (error) {
    const damage = damageOf(error, dependencies);
    return {
      key,
      attempt,
      nonce: "",
      pod: "unknown",
      outcome: "in-doubt",
      reason: "orphaned",
      detail: `its outcome is damaged: ${damage}`,
      atMs: dependencies.clock.wallMs(),
    };
  }
}

/**
 * Reads the decision of an operator about an attempt. A decision that is damaged, or that this process may not read,
 * is ignored with an alarm.
 */
export async function readWord(
  key: string,
  attempt: number,
  observers: Observers & {
    readonly resolution?: (key: string, attempt: number) => Promise<Resolution | undefined>;
  },
): Promise<Resolution | undefined> {
  try {
    return await observers.resolution?.(key, attempt);
  } catch (error) {
    if (systemCode(error) !== "EACCES") damageOf(error, observers);
    else alarm(error, observers);
    return undefined;
  }
}

/** Returns what is damaged, and raises an alarm. Rethrows every other error, because the file may be whole. */
function damageOf(error: unknown, observers: Observers): string {
  if (!hasCode(error, "history-damaged")) throw error;
  alarm(error, observers);
  return error.message;
}

export function alarm(error: unknown, { log, metrics }: Observers): void {
  metrics.count("storage_errors", { code: "damaged-file" });
  log.error("history.attempt.damaged", { error });
}
