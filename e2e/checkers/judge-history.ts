import type { Checker, Evidence, InvariantVerdict, RunHistory, Verdict } from "./checker.ts";
import { indexHistory } from "./analysis/build-index.ts";
import { missingEvidence } from "./analysis/missing-evidence.ts";
import { CHECKERS } from "./invariants/index.ts";

/**
 * Judges every invariant. Never throws: a checker that throws leaves its invariant `unknown`, with
 * the error as the reason.
 */
export function judgeHistory(
  history: RunHistory,
  checkers: readonly Checker[] = CHECKERS,
): Verdict {
  let incomplete: ReadonlyMap<Evidence, string>;
  try {
    incomplete = new Map([...missingEvidence(history), ...history.incomplete]);
  } catch (error) {
    const reason = `the history cannot be read: ${messageOf(error)}`;
    return { format: 1, verdicts: checkers.map((checker) => unknown(checker, reason)) };
  }
  return {
    format: 1,
    verdicts: checkers.map((checker) => judgeInvariant(checker, history, incomplete)),
  };
}

function judgeInvariant(
  checker: Checker,
  history: RunHistory,
  incomplete: ReadonlyMap<Evidence, string>,
): InvariantVerdict {
  const { name: invariant, title } = checker;
  const lacking = reasonIn(history.lacking, checker.needs);
  if (lacking !== undefined) return { ...notJudged(checker), reason: lacking };
  const missing = reasonIn(incomplete, checker.needs);
  if (missing !== undefined) return unknown(checker, missing);
  if (checker.kind === "liveness" && !indexHistory(history).converged) {
    const reason =
      "the run did not wait until everything had converged (its history has no mark `converged`)";
    return { ...notJudged(checker), reason };
  }
  try {
    const findings = checker.check(history);
    return { invariant, title, status: findings.length > 0 ? "broken" : "holds", findings };
  } catch (error) {
    return unknown(checker, `the checker failed: ${messageOf(error)}`);
  }
}

function notJudged({ name: invariant, title }: Checker): Omit<InvariantVerdict, "reason"> {
  return { invariant, title, status: "not-judged", findings: [] };
}

function unknown({ name: invariant, title }: Checker, reason: string): InvariantVerdict {
  return { invariant, title, status: "unknown", findings: [], reason };
}

function reasonIn(
  reasons: ReadonlyMap<Evidence, string>,
  needs: readonly Evidence[],
): string | undefined {
  const found = needs.filter((evidence) => reasons.has(evidence));
  if (found.length === 0) return undefined;
  return found.map((evidence) => `${evidence}: ${reasons.get(evidence)}`).join("; ");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
