import { ExpectationError, FaultNeverFiredError } from "#e2e/errors.ts";
import type { RecordEvent } from "#e2e/base/events.ts";
import type { Scenario, ScenarioContext } from "./scenario.ts";
import { orAbort } from "#e2e/base/waiting.ts";

type FailureKind = "expectation" | "fault-never-fired" | "infrastructure";

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly status: "passed" | "failed" | "interrupted" | "skipped";
  readonly durationMs: number;
  /** The reason why the scenario was skipped. Present only when it was. */
  readonly reason?: string;
  /** The failure. Present only when the scenario failed. */
  readonly failure?: { readonly kind: FailureKind; readonly error: Error };
}

/** The deployments of one scenario and the context that it runs in. */
export interface ScenarioSession {
  readonly context: ScenarioContext;
  /**
   * Takes everything down, keeps the artifacts and checks them. Called once, whatever happened before. Throws
   * ExpectationError when an artifact must not be as it is.
   */
  close(failed: boolean): Promise<void>;
}

export interface RunScenariosOptions {
  readonly scenarios: readonly Scenario[];
  /** The number of scenarios at the same time, at least 1. */
  readonly jobs: number;
  /** Aborts at ^C. Running scenarios are taken down, and no other scenario starts. */
  readonly signal: AbortSignal;
  /** Aborts when no scenario can pass any more. All remaining scenarios fail with its reason. */
  readonly lost?: AbortSignal | undefined;
  timeoutMs(scenario: Scenario): number;
  /** Returns the reason why the scenario cannot run here, or undefined when it can. */
  skipReason(scenario: Scenario): string | undefined;
  open(scenario: Scenario, signal: AbortSignal): ScenarioSession;
  recordFor(scenario: Scenario): RecordEvent;
}

/**
 * Runs the scenarios in the given order, except that scenarios marked `alone` run at the end, one by one. Returns the
 * results in the given order. Never throws for a failed scenario.
 */
export async function runScenarios(options: RunScenariosOptions): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = [];
  const entries = [...options.scenarios.entries()];
  const together = entries.filter(([, { alone }]) => alone !== true);
  await runInTurn(together, options.jobs, options, results);
  await runInTurn(
    entries.filter(([, { alone }]) => alone === true),
    1,
    options,
    results,
  );
  return results;
}

async function runInTurn(
  entries: readonly (readonly [index: number, Scenario])[],
  jobs: number,
  options: RunScenariosOptions,
  results: ScenarioResult[],
): Promise<void> {
  const waiting = entries.values();
  const worker = async (): Promise<void> => {
    // The workers share one iterator, so each takes the next scenario that no other has taken.
    for (const [index, scenario] of waiting) {
      results[index] = options.signal.aborted
        ? { scenario, status: "interrupted", durationMs: 0 }
        : await runScenario(scenario, options);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

async function runScenario(
  scenario: Scenario,
  options: RunScenariosOptions,
): Promise<ScenarioResult> {
  const recordEvent = options.recordFor(scenario);
  const reason = options.skipReason(scenario);
  if (reason !== undefined) {
    recordEvent("scenario", "scenario.skipped", { message: reason });
    return { scenario, status: "skipped", durationMs: 0, reason };
  }
  const startMs = performance.now();
  recordEvent("scenario", "scenario.started", { title: scenario.title });
  const error = await attempt(scenario, options);
  const durationMs = performance.now() - startMs;
  const result = conclude(scenario, durationMs, error, options.signal);
  recordEvent("scenario", `scenario.${result.status}`, {
    durationMs: Math.round(durationMs),
    ...(result.failure && { kind: result.failure.kind, message: result.failure.error.message }),
  });
  return result;
}

/** Runs the scenario and returns its error, or null. */
async function attempt(scenario: Scenario, options: RunScenariosOptions): Promise<Error | null> {
  const timeout = new AbortController();
  const timeoutMs = options.timeoutMs(scenario);
  const timer = setTimeout(() => {
    timeout.abort(new ExpectationError(`not finished within ${timeoutMs} ms`));
  }, timeoutMs);
  const signal = AbortSignal.any([
    options.signal,
    timeout.signal,
    ...(options.lost === undefined ? [] : [options.lost]),
  ]);
  const session = options.open(scenario, signal);
  let error: Error | null = null;
  try {
    // A scenario that ignores its signal must not keep the run from ending.
    await orAbort(scenario.run(session.context), signal);
  } catch (thrown) {
    error = asError(thrown);
  } finally {
    clearTimeout(timer);
  }
  try {
    await session.close(error !== null);
  } catch (thrown) {
    // The first failure usually explains the second one.
    error ??= asError(thrown);
  }
  return error;
}

function conclude(
  scenario: Scenario,
  durationMs: number,
  error: Error | null,
  interrupted: AbortSignal,
): ScenarioResult {
  if (error === null) return { scenario, status: "passed", durationMs };
  if (interrupted.aborted) return { scenario, status: "interrupted", durationMs };
  return { scenario, status: "failed", durationMs, failure: { kind: kindOf(error), error } };
}

function kindOf(error: Error): FailureKind {
  if (error instanceof ExpectationError) return "expectation";
  return error instanceof FaultNeverFiredError ? "fault-never-fired" : "infrastructure";
}

function asError(thrown: unknown): Error {
  if (thrown instanceof SuppressedError) return ofBoth(asError(thrown.suppressed), thrown.error);
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/**
 * Combines two errors: that of a scenario and that of something it had to dispose of. A fault that never fired explains
 * the first error.
 */
function ofBoth(first: Error, atEnd: unknown): Error {
  if (!(atEnd instanceof FaultNeverFiredError)) return first;
  return new FaultNeverFiredError(`${atEnd.message}\n${first.message}`, { cause: first });
}
