import { DURATIONS } from "#simulator/model/settings.ts";
import type { AttemptFacts, KeyFacts, OutcomeFacts } from "./ledger.ts";

/** Selects attempts of a key. */
export type Counts = (attempt: AttemptFacts) => boolean;

export const every: Counts = () => true;

/** Returns the true time from which every clock says that the key is too old to begin. */
export function overMs({ planned }: KeyFacts): number {
  return planned.incident.startedOnMs + DURATIONS.eventAgeMsMax + DURATIONS.clockSkewMsMax / 2;
}

/** Returns the true time until which every clock says that the key is young enough to begin. */
export function underMs(facts: KeyFacts): number {
  return overMs(facts) - DURATIONS.clockSkewMsMax;
}

/**
 * Selects attempts that were claimed in time. A claim that a slow pod links later is never
 * executed; the next sweep ends and deletes it.
 */
export function inTime(facts: KeyFacts, untilMs = overMs(facts)): Counts {
  return ({ claim }) => (claim?.seenMs ?? 0) <= untilMs;
}

/** Returns the number of the last attempt of a key, or 0 when it was never claimed. */
export function lastAttempt({ attempts }: KeyFacts, counts: Counts = every): number {
  const present = [...attempts].filter(
    ([, facts]) => (facts.claim ?? facts.outcome) && counts(facts),
  );
  return Math.max(0, ...present.map(([attempt]) => attempt));
}

/** Returns the outcomes that the files of an attempt held, before it was swept and after. */
export function endsOf(attempt: AttemptFacts | undefined): OutcomeFacts[] {
  return [attempt?.outcome, attempt?.outcomeAfterSweep].filter((end) => end !== undefined);
}

/** Returns the reason that the dead letter has to give. */
export function dueOf({ outcome, reason }: OutcomeFacts): string {
  return reason === "too-old" || reason === "request-changed" ? reason : outcome;
}

export function isDone({ outcome }: { readonly outcome: string }): boolean {
  return outcome === "done";
}

/** Returns true when some clock may say that the key is too old to begin at this true time. */
export function mayBeTooOld({ planned }: KeyFacts, latestMs: number): boolean {
  const { clockSkewMsMax, eventAgeMsMax } = DURATIONS;
  return latestMs + clockSkewMsMax - planned.incident.startedOnMs > eventAgeMsMax;
}
