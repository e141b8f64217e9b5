import type { Finding, RunHistory } from "#e2e/checkers/checker.ts";
import type { ActionEvents } from "./indexed-history.ts";

/** A finding that an action or a record did not become terminal in time. */
export interface UncertainFinding extends Finding {
  /** True when a missing log line might report the end. */
  readonly mayBeExplainedByLog: boolean;
}

/**
 * Returns true when the end of the action may be recorded only in a log: that it was too old to
 * begin, or that the late owner of an attempt in doubt found it done.
 */
export function mayEndOnlyInLog({ attempts }: ActionEvents): boolean {
  if (attempts.size === 0) return true;
  return [...attempts.values()].some(({ outcomes }) =>
    outcomes.some(({ outcome }) => outcome === "in-doubt"),
  );
}

/**
 * Returns the findings that no missing log line can explain. Throws when there are only others and
 * logs are missing, since the verdict is unknown then.
 */
export function certainFindings(
  { incomplete, lacking }: RunHistory,
  open: readonly UncertainFinding[],
): Finding[] {
  const missing = incomplete.get("pod-logs") ?? lacking.get("pod-logs");
  const certain =
    missing === undefined ? open : open.filter(({ mayBeExplainedByLog }) => !mayBeExplainedByLog);
  const [first] = open;
  if (first !== undefined && certain.length === 0) {
    throw new Error(`${first.message}; a log might say otherwise, and ${missing}`);
  }
  return certain.map(({ message, events }) => ({ message, events }));
}
