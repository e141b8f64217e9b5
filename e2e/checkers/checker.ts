import type { HistoryEvent } from "./history-event.ts";

/**
 * The sources of events. A target or broker that lacks one, such as a broker that does not report
 * commits, leaves some invariants unjudged.
 */
const EVIDENCE = [
  "published",
  "deliveries",
  "claims",
  "effects",
  "outcomes",
  "dead-letters",
  "commits",
  "assignments",
  "pod-events",
  "pod-logs",
  "contract-file",
] as const;

export type Evidence = (typeof EVIDENCE)[number];

/** Everything that is known of a run. */
export interface RunHistory {
  /** The events in the order of `atMs`. */
  readonly events: readonly HistoryEvent[];
  /** Evidence that the target or broker cannot give, with the ability that it lacks. */
  readonly lacking: ReadonlyMap<Evidence, string>;
  /** Evidence that should be there and is not, such as a truncated log, with the reason. */
  readonly incomplete: ReadonlyMap<Evidence, string>;
  /**
   * The longest time until a pod that reports that it is not ready counts as not ready, since its
   * probes have to fail first.
   */
  readonly unreadyMsMax: number;
  /**
   * Files below the claims of the volume that are no claim, no outcome and no resolution, with the
   * reason.
   */
  readonly strangeFiles: readonly string[];
  /** Findings of the watch on automation_action_history.json, which reads it all the time. */
  readonly contractFile: readonly string[];
}

export interface Finding {
  /** One sentence that says what broke, with key, attempt, pods and places. */
  readonly message: string;
  /** The indices of the events that show it. */
  readonly events: readonly number[];
}

/** Judges one invariant of a history. */
export interface Checker {
  /** A stable name of words joined by `-`; it is also the name of the JUnit case. */
  readonly name: string;
  /** The invariant as a sentence that says what always holds. */
  readonly title: string;
  /** Liveness is judged only after the mark `converged`. */
  readonly kind: "safety" | "liveness";
  readonly needs: readonly Evidence[];
  check(history: RunHistory): readonly Finding[];
}

/**
 * `not-judged`: the target or broker lacks a named ability. `unknown`: events are missing that
 * should be there, or the checker threw, which fails the run.
 */
type VerdictStatus = "holds" | "broken" | "not-judged" | "unknown";

export interface InvariantVerdict {
  readonly invariant: string;
  readonly title: string;
  readonly status: VerdictStatus;
  /** The findings of the status `broken`. */
  readonly findings: readonly Finding[];
  /** The reason of the statuses `not-judged` and `unknown`. */
  readonly reason?: string;
}

/** The content of `verdict.json`. */
export interface Verdict {
  readonly format: 1;
  readonly verdicts: readonly InvariantVerdict[];
}
