import { EXIT_CODE } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import { MEASURED_MS_MIN, WARM_UP_MS } from "./bounds.ts";
import type { SoakFinding } from "./judge-soak.ts";

/**
 * The shortest duration of a run that must be judged: a warm-up, enough time, and as much again for
 * a busy machine.
 */
export const SOAK_MS_MIN = 2 * (WARM_UP_MS + MEASURED_MS_MIN);

/**
 * Returns the exit code of the whole run after growth is judged. `durationMs` is the requested
 * duration; null when none was requested.
 */
export function exitCodeWithSoak(
  code: ExitCode,
  findings: readonly SoakFinding[],
  durationMs: number | null,
): ExitCode {
  if (code === EXIT_CODE.interrupted) return code;
  if (findings.some(({ status }) => status === "broken")) return EXIT_CODE.expectationBroke;
  const isUnjudged =
    durationMs !== null && durationMs >= SOAK_MS_MIN && unjudged(findings).length > 0;
  return isUnjudged && code === EXIT_CODE.passed ? EXIT_CODE.infrastructure : code;
}

/** Returns the kinds of which nothing at all was judged. */
function unjudged(findings: readonly SoakFinding[]): string[] {
  const kinds = new Set(findings.map(({ kind }) => kind));
  return [...kinds].filter((kind) =>
    findings.every((finding) => finding.kind !== kind || finding.status === "not-judged"),
  );
}
