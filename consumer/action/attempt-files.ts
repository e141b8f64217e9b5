import { hasCode, systemCode } from "#consumer/errors.ts";
import type { Claim, Claims, Outcome } from "#consumer/history/claims/claims.ts";
import type { Clock, Log, Metrics } from "#consumer/ports.ts";
import type { Resolution } from "#consumer/history/claims/resolution.ts";

/** What is known of whoever holds an attempt. */
export type Holder = Pick<Claim, "key" | "attempt" | "nonce" | "pod" | "claimedAtMs"> & {
  /** Why nothing else is: its claim is damaged. */
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
 * Whoever holds the attempt. A file is whole before it is linked, so a claim that reads as anything else was damaged
 * since: its name is taken all the same, by nobody who is known, and it ends as the claim of a dead owner does.
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

/** The end of an attempt. What a damaged outcome said nobody knows, and nobody can write another: it is in doubt. */
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

/** What an operator said. A word that is damaged, or that only somebody else may read, is as good as unsaid. */
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

/** Rethrows whatever says nothing about the content: the file may be whole. */
function damageOf(error: unknown, observers: Observers): string {
  if (!hasCode(error, "history-damaged")) throw error;
  alarm(error, observers);
  return error.message;
}

export function alarm(error: unknown, { log, metrics }: Observers): void {
  metrics.count("storage_errors", { code: "damaged-file" });
  log.error("history.attempt.damaged", { error });
}
