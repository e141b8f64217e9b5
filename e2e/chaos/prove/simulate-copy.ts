import { execa } from "execa";
import type { Invariant } from "#simulator/model/verification/invariants.ts";
import { failedRuns, stillBroken } from "./failed-runs.ts";
import type { FailedRun } from "./failed-runs.ts";
import type { ConsumerCopy } from "./consumer-copy.ts";

export interface SimulateCopyOptions {
  /** The seed of the first run. */
  readonly seed: number;
  readonly runsMax: number;
  readonly signal: AbortSignal;
  /** Returns true for the wanted failure. */
  readonly isFound: (failed: FailedRun) => boolean;
}

export interface SimulatedRuns {
  readonly runs: number;
  /** Every run that failed. */
  readonly failed: readonly FailedRun[];
  /** The first wanted failure. */
  readonly found: FailedRun | undefined;
}

const RUNS_AT_ONCE = 250;
/**
 * Exit codes of e2e/simulate/main.ts: a run violated an invariant, or some crash points were not
 * hit.
 */
const BROKEN = 1;
const MISSED = 4;

/**
 * Runs the model of a copy, some hundred runs at a time, until a failure is the wanted one or
 * `runsMax` runs were made.
 */
export async function simulateUntilFound(
  copy: ConsumerCopy,
  { seed, runsMax, signal, isFound }: SimulateCopyOptions,
): Promise<SimulatedRuns> {
  const failed: FailedRun[] = [];
  let runs = 0;
  while (runs < runsMax) {
    const count = Math.min(RUNS_AT_ONCE, runsMax - runs);
    failed.push(...(await simulate(copy, count, (seed + runs) % 2 ** 32, signal)));
    runs += count;
    const found = failed.find((run) => isFound(run));
    if (found !== undefined) return { runs, failed, found };
  }
  return { runs, failed, found: undefined };
}

/**
 * Plays only the run of the copy with this seed, and searches for fewer steps with which it still
 * fails. Returns the result, such as `54 steps became 3 in 0.5 s (27 runs): simulate --seed 41
 * --steps 1,3,25`. A run that violated several invariants may be shrunk to one that violates none
 * of the wanted ones, which the result then says.
 */
export async function shrinkSimulatedRun(
  copy: ConsumerCopy,
  {
    seed,
    signal,
    invariants,
  }: Pick<SimulateCopyOptions, "seed" | "signal"> & { readonly invariants: readonly Invariant[] },
): Promise<string> {
  const output = await outputOf(copy, ["--runs", "1", "--seed", String(seed)], signal);
  const became = /^shrunk, seed \d+: (.*)$/m.exec(output)?.[1];
  const steps = /^ {2}replay: npm run simulate -- (--seed \d+ --steps .*)$/m.exec(output)?.[1];
  if (became === undefined || steps === undefined) {
    throw new Error(`simulate did not say what it shrank the run to: ${output.slice(-500)}`);
  }
  const broken = stillBroken(output);
  const isFound = broken.some((invariant) => invariants.includes(invariant));
  const but = isFound ? "" : `, which breaks only something else (${broken.join("; ")})`;
  return `${became}: simulate ${steps}${but}`;
}

async function simulate(
  copy: ConsumerCopy,
  runs: number,
  seed: number,
  signal: AbortSignal,
): Promise<FailedRun[]> {
  const options = ["--runs", String(runs), "--seed", String(seed), "--no-shrink"];
  return failedRuns(await outputOf(copy, options, signal));
}

/**
 * Returns the output. Throws unless the runs came to their end, whether or not they violated
 * something.
 */
async function outputOf(
  { directory }: ConsumerCopy,
  options: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const { stdout, stderr, exitCode } = await execa(
    process.execPath,
    ["e2e/simulate/main.ts", ...options],
    { cwd: directory, reject: false, cancelSignal: signal, forceKillAfterDelay: 2000 },
  );
  signal.throwIfAborted();
  const hasFailed = failedRuns(stdout).length > 0;
  const isClear = hasFailed ? exitCode === BROKEN : exitCode === 0 || exitCode === MISSED;
  if (isClear) return stdout;
  throw new Error(`simulate ended with ${exitCode}: ${`${stdout}\n${stderr}`.slice(-500)}`);
}
