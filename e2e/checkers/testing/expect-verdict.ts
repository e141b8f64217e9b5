import type { InvariantVerdict } from "#e2e/checkers/checker.ts";
import { judgeHistory } from "#e2e/checkers/judge-history.ts";
import type { HistoryBuilder } from "./history-builder.ts";

/** Returns the verdict on one invariant. */
export function verdictOn(builder: HistoryBuilder, invariant: string): InvariantVerdict {
  const { verdicts } = judgeHistory(builder.history());
  const verdict = verdicts.find((candidate) => candidate.invariant === invariant);
  if (verdict === undefined) throw new RangeError(`no checker judges ${invariant}`);
  return verdict;
}

/**
 * Returns the findings on one invariant. Throws when the verdict is neither `broken` nor `holds`.
 */
export function findingsOn(builder: HistoryBuilder, invariant: string): readonly string[] {
  const { status, reason, findings } = verdictOn(builder, invariant);
  if (reason !== undefined) throw new Error(`${invariant} is ${status}: ${reason}`);
  return findings.map(({ message }) => message);
}

/** Returns every invariant that does not hold, with its findings. */
export function findFailedVerdicts(
  builder: HistoryBuilder,
): Readonly<Record<string, readonly string[]>> {
  const { verdicts } = judgeHistory(builder.history());
  return Object.fromEntries(
    verdicts
      .filter(({ status }) => status !== "holds")
      .map(({ invariant, status, reason, findings }) => [
        invariant,
        status === "broken" ? findings.map(({ message }) => message) : [`${status}: ${reason}`],
      ]),
  );
}
