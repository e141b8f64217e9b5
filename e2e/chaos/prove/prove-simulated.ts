import { execa } from "execa";
import { failedRuns } from "./failed-runs.ts";
import type { FailedRun } from "./failed-runs.ts";
import type { StagedCopy } from "./stage-copy.ts";

export interface ProveSimulatedOptions {
  /** Of the first run. */
  readonly seed: number;
  readonly runsMax: number;
  readonly signal: AbortSignal;
  /** Whether this failure is the one that is looked for. */
  readonly isFound: (failed: FailedRun) => boolean;
}

export interface SimulatedProof {
  readonly runs: number;
  /** Every run that failed. */
  readonly failed: readonly FailedRun[];
  /** The first one that was looked for. */
  readonly found: FailedRun | undefined;
}

const RUNS_AT_ONCE = 250;
/** Exit codes of e2e/simulate.ts: a run broke something, and some crash points were not hit. */
const BROKEN = 1;
const MISSED = 4;

/** Runs the model of a copy, some hundred runs at a time, until a failure is the one that is looked for or there were `runsMax`. */
export async function proveSimulated(
  copy: StagedCopy,
  { seed, runsMax, signal, isFound }: ProveSimulatedOptions,
): Promise<SimulatedProof> {
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

async function simulate(
  { directory }: StagedCopy,
  runs: number,
  seed: number,
  signal: AbortSignal,
): Promise<FailedRun[]> {
  const { stdout, stderr, exitCode } = await execa(
    process.execPath,
    ["e2e/simulate.ts", "--runs", String(runs), "--seed", String(seed)],
    { cwd: directory, reject: false, cancelSignal: signal, forceKillAfterDelay: 2000 },
  );
  signal.throwIfAborted();
  const failed = failedRuns(stdout);
  const isClear = failed.length > 0 ? exitCode === BROKEN : exitCode === 0 || exitCode === MISSED;
  if (isClear) return failed;
  throw new Error(`simulate ended with ${exitCode}: ${`${stdout}\n${stderr}`.slice(-500)}`);
}
