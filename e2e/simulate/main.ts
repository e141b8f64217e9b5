import { Worker } from "node:worker_threads";
import { CRASH_POINTS } from "#simulator/model/schedule/crash-points.ts";
import { createCounts } from "#simulator/model/counts.ts";
import type { Counts } from "#simulator/model/counts.ts";
import { simulate } from "#simulator/model/simulate.ts";
import { UsageError } from "#e2e/errors.ts";
import { SIMULATE_USAGE, simulateArguments, stepText } from "./arguments.ts";
import type { SimulateArguments } from "./arguments.ts";
import { failureLines, shrunkLines } from "./failure-lines.ts";
import { shrinkRun } from "./shrink-run.ts";
import type { RunReport, Share } from "./worker.ts";

const WORKER = new URL("./worker.ts", import.meta.url);
const PROGRESS_MS = 10_000;
/**
 * The number of runs after which a thread is replaced. Node keeps a signal of `AbortSignal.any`
 * that has a listener until one of its sources aborts, and a process that the model kills never
 * aborts its own. Only the end of the thread frees what such processes leave, about 0.6 MiB per
 * run.
 */
const RUNS_PER_THREAD = 500;
const SHRINK_MS_MAX = 10_000;
/** The number of runs from which on every crash point has to be hit. */
const RUNS_TO_HIT_ALL = 1000;
const EXIT_CODE = { passed: 0, broken: 1, usage: 2, missed: 4 } as const;

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = simulateArguments(argv);
    if (options) return await run(options);
    process.stdout.write(SIMULATE_USAGE);
    return EXIT_CODE.passed;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\nAll options: npm run simulate -- --help\n`);
    return EXIT_CODE.usage;
  }
}

async function run({ runs, seed, jobs, steps, shrink }: SimulateArguments): Promise<number> {
  print(`seed ${seed}`);
  const counts = createCounts();
  const startMs = performance.now();
  let shownMs = startMs;
  let done = 0;
  const failed: RunReport[] = [];
  const note = (report: RunReport): void => {
    done += 1;
    counts.merge(report.counts);
    if (report.violations.length > 0) {
      failed.push(report);
      print(...failureLines(report, { isAlone: runs === 1, chosen: steps }));
    }
    if (performance.now() - shownMs > PROGRESS_MS) {
      shownMs = performance.now();
      print(`${done} of ${runs} runs, ${failed.length} failed`);
    }
  };
  const threads = Array.from({ length: Math.min(jobs, runs) }, (_, index) =>
    runShare({ first: seed + index, step: Math.min(jobs, runs), end: seed + runs, steps }, note),
  );
  await Promise.all(threads);
  const seconds = (performance.now() - startMs) / 1000;
  showCounts(counts);
  const missed = CRASH_POINTS.filter((point) => counts.get("crash points", point) === 0);
  print(`crash points not hit: ${missed.length === 0 ? "none" : missed.join(", ")}`);
  const [first] = failed.toSorted((one, other) => environmentOf(one) - environmentOf(other));
  if (first && shrink) await showShrunk(first);
  const stepRate = Math.round(counts.total("steps") / seconds);
  print(
    `${runs} runs in ${seconds.toFixed(1)} s, ${stepRate} steps a second, ${failed.length} failed`,
    `again: npm run simulate -- --seed ${seed} ${steps ? `--steps ${stepText(steps)}` : `--runs ${runs}`}`,
  );
  return exitCode(runs, failed.length, missed.length);

  /**
   * Returns the position of a run in the order of seeds, which wrap around after the largest one.
   */
  function environmentOf(report: RunReport): number {
    return (report.seed - seed + 2 ** 32) % 2 ** 32;
  }
}

/**
 * Returns 0 when every invariant held in every run, 1 when one was violated, and 4 when all held
 * but 1000 runs or more never crashed at `missed` crash points. (A usage error is 2.)
 */
export function exitCode(runs: number, failed: number, missed: number): number {
  if (failed > 0) return EXIT_CODE.broken;
  return missed > 0 && runs >= RUNS_TO_HIT_ALL ? EXIT_CODE.missed : EXIT_CODE.passed;
}

/** Runs the share in one thread after the other. Rejects with the error of a thread that failed. */
async function runShare(share: Share, note: (report: RunReport) => void): Promise<void> {
  for (const part of partsOf(share)) await runThread(part, note);
}

/** Splits the share into parts of as many seeds as one thread may run. */
export function* partsOf(share: Share): Generator<Share> {
  const stride = share.step * RUNS_PER_THREAD;
  for (let first = share.first; first < share.end; first += stride) {
    yield { ...share, first, end: Math.min(share.end, first + stride) };
  }
}

function runThread(share: Share, note: (report: RunReport) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, { workerData: share });
    worker.on("message", note);
    worker.once("error", reject);
    worker.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`a thread ended with exit code ${code}`)),
    );
  });
}

async function showShrunk(failed: RunReport): Promise<void> {
  print(
    `looking for fewer steps with which seed ${failed.seed} fails, for ${SHRINK_MS_MAX / 1000} s at most`,
  );
  const shrunk = await shrinkRun({
    failed,
    simulate: (seed, steps) => simulate(seed, { steps }),
    timeMsMax: SHRINK_MS_MAX,
  });
  print(...shrunkLines(shrunk));
}

function showCounts(counts: Counts): void {
  for (const group of counts.groups()) {
    const parts = counts.entries(group).map(([name, count]) => `${name} ${count}`);
    print(`${group}: ${counts.total(group)} (${parts.join(", ")})`);
  }
}

function print(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}
