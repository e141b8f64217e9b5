import type { Finding, RunHistory } from "#e2e/checkers/checker.ts";
import type { ActionEvents } from "./indexed-history.ts";

/** A finding that the action, or the record, has not ended in time. */
export interface UncertainFinding extends Finding {
  /** Whether a line of a log that is missing might say that it has. */
  readonly mayBeExplainedByLog: boolean;
}

/**
 * Whether the end of the action may be in no place but a log: that it was too old to begin, or that the late owner of an attempt in doubt
 * found it done.
 */
export function mayEndOnlyInLog({ attempts }: ActionEvents): boolean {
  if (attempts.size === 0) return true;
  return [...attempts.values()].some(({ outcomes }) =>
    outcomes.some(({ outcome }) => outcome === "in-doubt"),
  );
}

/** Those that no missing line explains. Throws where there are others only, and logs are missing: then nobody can tell. */
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
