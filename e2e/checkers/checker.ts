import type { HistoryEvent } from "./history-event.ts";

/** Where events come from. A place that lacks one (such as the commits of a broker that does not tell them) leaves some invariants unjudged. */
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

/** All that is known of a run. */
export interface RunHistory {
  /** In the order of `atMs`. */
  readonly events: readonly HistoryEvent[];
  /** What the target or broker cannot tell, with the ability that it lacks. */
  readonly lacking: ReadonlyMap<Evidence, string>;
  /** What should be there and is not, such as a log that was cut: with the reason. */
  readonly incomplete: ReadonlyMap<Evidence, string>;
  /** How long it may take until a pod that says that it is not ready is taken for not ready: its probes have to fail. */
  readonly unreadyMsMax: number;
  /** What stands below the claims of the volume and is no claim, no outcome and no resolution, with the reason. */
  readonly strangeFiles: readonly string[];
  /** Findings of the watch on automation_action_history.json, which looks all the time. */
  readonly contractFile: readonly string[];
}

export interface Finding {
  /** One sentence: what broke, with key, attempt, pods and places. */
  readonly message: string;
  /** Indices into the events that show it. */
  readonly events: readonly number[];
}

/** Judges one invariant of a history. */
export interface Checker {
  /** Stable, in words joined by `-`: the name of the JUnit case. */
  readonly name: string;
  /** The invariant as a sentence: what always holds. */
  readonly title: string;
  /** Liveness is judged only after the mark `settled`. */
  readonly kind: "safety" | "liveness";
  readonly needs: readonly Evidence[];
  check(history: RunHistory): readonly Finding[];
}

/** `not-judged`: the place lacks a named ability. `unknown`: events are missing that should be there, or the checker threw; it fails the run. */
type VerdictStatus = "holds" | "broken" | "not-judged" | "unknown";

export interface InvariantVerdict {
  readonly invariant: string;
  readonly title: string;
  readonly status: VerdictStatus;
  /** Of `broken`. */
  readonly findings: readonly Finding[];
  /** Of `not-judged` and `unknown`. */
  readonly reason?: string;
}

/** The content of `verdict.json`. */
export interface Verdict {
  readonly format: 1;
  readonly verdicts: readonly InvariantVerdict[];
}
