import { execa } from "execa";
import type { StagedCopy } from "./stage-copy.ts";

export interface SimulatedProof {
  readonly runs: number;
  readonly seconds: number;
  /** The invariants that broke, in the words of the model. */
  readonly broken: readonly string[];
  /** The first run that broke one. */
  readonly seed: number | null;
}

const RUNS_AT_ONCE = 250;

/** Runs the model of a copy, some hundred runs at a time, until one breaks or there were `runsMax`. */
export async function proveSimulated(
  { directory }: StagedCopy,
  {
    seed,
    runsMax,
    signal,
  }: { readonly seed: number; readonly runsMax: number; readonly signal: AbortSignal },
): Promise<SimulatedProof> {
  const startMs = performance.now();
  for (let runs = 0; runs < runsMax;) {
    const count = Math.min(RUNS_AT_ONCE, runsMax - runs);
    const first = (seed + runs) % 2 ** 32;
    const { stdout, exitCode } = await execa(
      process.execPath,
      ["e2e/simulate.ts", "--runs", String(count), "--seed", String(first)],
      { cwd: directory, reject: false, cancelSignal: signal, forceKillAfterDelay: 2000 },
    );
    signal.throwIfAborted();
    runs += count;
    const broken = [...stdout.matchAll(/^ {2}not so: (.*?) \(/gm)].map(([, name = ""]) => name);
    const failed = /^FAILED, seed (\d+):/m.exec(stdout)?.[1];
    if (exitCode !== 0 && exitCode !== 4 && broken.length === 0) {
      throw new Error(`simulate ended with ${exitCode}: ${stdout.slice(-500)}`);
    }
    if (broken.length > 0 || runs >= runsMax) {
      const seconds = (performance.now() - startMs) / 1000;
      return {
        runs,
        seconds,
        broken: [...new Set(broken)],
        seed: failed === undefined ? null : Number(failed),
      };
    }
  }
  return { runs: 0, seconds: 0, broken: [], seed: null };
}
