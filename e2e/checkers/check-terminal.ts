import type { RecordedEffect } from "./check-effects.ts";
import type { AttemptFile, HistoryFiles } from "./history-files.ts";

/** A planned action that must have become terminal. */
interface ExpectedAction {
  readonly rule: string;
  readonly action: string;
  readonly incidentId: string;
}

export interface DeadLetterSeen {
  readonly key: string | null;
  readonly attempt: number | null;
  readonly reason: string;
}

export interface TerminalEvidence {
  readonly expected: readonly ExpectedAction[];
  readonly files: HistoryFiles;
  readonly effects: readonly RecordedEffect[];
  readonly deadLetters: readonly DeadLetterSeen[];
}

const OUTCOMES = new Set(["done", "rejected", "failed-not-applied", "in-doubt"]);

/**
 * Checks that every expected action was claimed, every claim has an outcome, every effect was
 * claimed before, and everything that did not end as `done` is in the dead-letter topic. Returns
 * one finding per violation.
 */
export function checkTerminal(evidence: TerminalEvidence): string[] {
  const { files } = evidence;
  const outcomes = new Map(files.outcomes.map((file) => [attemptName(file), file]));
  const claims = new Map(files.claims.map((file) => [attemptName(file), file]));
  return [
    ...files.strange,
    ...unclaimed(evidence.expected, files.claims),
    ...files.claims
      .filter((claim) => !outcomes.has(attemptName(claim)))
      .map((claim) => `${claim.path} has no outcome`),
    ...files.outcomes
      .filter((outcome) => !claims.has(attemptName(outcome)))
      .map((outcome) => `${outcome.path} has no claim`),
    ...files.outcomes
      .filter((outcome) => !OUTCOMES.has(String(outcome.content.outcome)))
      .map((outcome) => `${outcome.path}: unknown outcome ${String(outcome.content.outcome)}`),
    ...unclaimedEffects(evidence.effects, files.claims),
    ...missingDeadLetters(files.outcomes, evidence.deadLetters),
  ];
}

function unclaimed(expected: readonly ExpectedAction[], claims: readonly AttemptFile[]): string[] {
  const name = (action: ExpectedAction): string =>
    JSON.stringify([action.rule, action.action, action.incidentId]);
  const claimed = new Set(
    claims.map(({ content }) => JSON.stringify([content.rule, content.action, content.incidentId])),
  );
  return expected
    .filter((action) => !claimed.has(name(action)))
    .map((action) => `action ${name(action)} was never claimed`);
}

function unclaimedEffects(
  effects: readonly RecordedEffect[],
  claims: readonly AttemptFile[],
): string[] {
  const keys = new Set(claims.map((claim) => claim.key));
  return effects
    .filter(({ key }) => key !== null && !keys.has(key))
    .map(({ key }) => `key ${key} had an effect without a claim`);
}

/**
 * Only the last attempt of a key counts: an earlier one may be `failed-not-applied` and retried.
 */
function missingDeadLetters(
  outcomes: readonly AttemptFile[],
  deadLetters: readonly DeadLetterSeen[],
): string[] {
  const last = new Map<string, AttemptFile>();
  for (const outcome of outcomes) {
    const known = last.get(outcome.key);
    if (known === undefined || known.attempt < outcome.attempt) last.set(outcome.key, outcome);
  }
  const seen = new Set(deadLetters.map(({ key }) => key));
  return [...last.values()]
    .filter((outcome) => outcome.content.outcome !== "done" && !seen.has(outcome.key))
    .map(
      (outcome) =>
        `${outcome.path} is ${String(outcome.content.outcome)} and not in the dead-letter topic`,
    );
}

function attemptName(file: AttemptFile): string {
  return `${file.key}.${file.attempt}`;
}
