import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { CRASH_POINTS } from "#fixtures/model/crash-points.ts";
import { type Counts, createCounts } from "#fixtures/model/counts.ts";
import type { RunReport, Share } from "./simulate-worker.ts";

const USAGE = "usage: npm run simulate -- [--runs N] [--seed N] [--jobs N]\n";
const WORKER = new URL("./simulate-worker.ts", import.meta.url);
/** A failing run is shown with so many of its last steps; alone, with all that were kept. */
const TRACE_LENGTH = 25;
const PROGRESS_MS = 10_000;
/** So many runs have to hit every crash point; fewer need not. */
const RUNS_TO_HIT_ALL = 1000;
const EXIT_CODE = { passed: 0, broken: 1, usage: 2, missed: 4 } as const;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const options = read();
  if (!options) {
    process.stderr.write(USAGE);
    process.exitCode = EXIT_CODE.usage;
    return;
  }
  const { runs, seed, jobs } = options;
  print(`seed ${seed}`);
  const counts = createCounts();
  const startMs = performance.now();
  let shownMs = startMs;
  let done = 0;
  let failed = 0;
  const note = (report: RunReport): void => {
    done += 1;
    counts.merge(report.counts);
    if (report.violations.length > 0) {
      failed += 1;
      showFailure(report, runs === 1 ? report.trace.length : TRACE_LENGTH);
    }
    if (performance.now() - shownMs > PROGRESS_MS) {
      shownMs = performance.now();
      print(`${done} of ${runs} runs, ${failed} failed`);
    }
  };
  const threads = Array.from({ length: Math.min(jobs, runs) }, (_, index) =>
    runShare({ first: seed + index, step: Math.min(jobs, runs), end: seed + runs }, note),
  );
  await Promise.all(threads);
  showCounts(counts);
  const missed = CRASH_POINTS.filter((point) => counts.get("crash points", point) === 0);
  print(`crash points not hit: ${missed.length === 0 ? "none" : missed.join(", ")}`);
  const seconds = (performance.now() - startMs) / 1000;
  const stepRate = Math.round(counts.total("steps") / seconds);
  print(`${runs} runs in ${seconds.toFixed(1)} s, ${stepRate} steps a second, ${failed} failed`);
  print(`again: npm run simulate -- --seed ${seed} --runs ${runs}`);
  process.exitCode = exitCode(runs, failed, missed.length);
}

/**
 * 0: every invariant held in every run. 1: one did not. 4: they held, but in 1000 runs or more nobody died at `missed`
 * crash points. (2 is usage.)
 */
export function exitCode(runs: number, failed: number, missed: number): number {
  if (failed > 0) return EXIT_CODE.broken;
  return missed > 0 && runs >= RUNS_TO_HIT_ALL ? EXIT_CODE.missed : EXIT_CODE.passed;
}

/** In a thread of its own. Rejects with what the thread failed with. */
function runShare(share: Share, note: (report: RunReport) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, { workerData: share });
    worker.on("message", note);
    worker.once("error", reject);
    worker.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`a thread ended with exit code ${code}`)),
    );
  });
}

function read(): { runs: number; seed: number; jobs: number } | undefined {
  try {
    const { values } = parseArgs({
      options: { runs: { type: "string" }, seed: { type: "string" }, jobs: { type: "string" } },
    });
    const runs = Number(values.runs ?? 1000);
    const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
    const jobs = Number(values.jobs ?? availableParallelism());
    const positive = [runs, jobs].every((number) => Number.isInteger(number) && number > 0);
    const valid = positive && Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32;
    return valid ? { runs, seed, jobs } : undefined;
  } catch {
    return undefined;
  }
}

function showFailure({ seed, trace, violations }: RunReport, length: number): void {
  print(`FAILED, seed ${seed}:`);
  for (const { invariant, detail } of violations) print(`  not so: ${invariant} (${detail})`);
  print("  the last steps:");
  for (const line of trace.slice(-length)) print(`    ${line}`);
  print(`  replay: npm run simulate -- --seed ${seed} --runs 1`);
}

function showCounts(counts: Counts): void {
  for (const group of counts.groups()) {
    const parts = counts.entries(group).map(([name, count]) => `${name} ${count}`);
    print(`${group}: ${counts.total(group)} (${parts.join(", ")})`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
