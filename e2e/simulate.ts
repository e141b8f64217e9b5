import { parseArgs } from "node:util";
import { CRASH_POINTS } from "#fixtures/model/crash-points.ts";
import { type Counts, createCounts } from "#fixtures/model/counts.ts";
import { type SimulationReport, simulate } from "#fixtures/model/simulate.ts";

const USAGE = "usage: npm run simulate -- [--runs N] [--seed N]\n";
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
  const { runs, seed } = options;
  print(`seed ${seed}`);
  const counts = createCounts();
  const startMs = performance.now();
  let shownMs = startMs;
  let failed = 0;
  for (let run = 0; run < runs; run += 1) {
    const report = await simulate((seed + run) % 2 ** 32);
    counts.merge(report.counts);
    if (report.violations.length > 0) {
      failed += 1;
      showFailure(report, runs === 1 ? report.trace.length : TRACE_LENGTH);
    }
    if (performance.now() - shownMs > PROGRESS_MS) {
      shownMs = performance.now();
      print(`${run + 1} of ${runs} runs, ${failed} failed`);
    }
  }
  showCounts(counts);
  const missed = CRASH_POINTS.filter((point) => counts.get("crash points", point) === 0);
  print(`crash points not hit: ${missed.length === 0 ? "none" : missed.join(", ")}`);
  const seconds = (performance.now() - startMs) / 1000;
  print(`${runs} runs in ${seconds.toFixed(1)} s, ${failed} failed`);
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

function read(): { runs: number; seed: number } | undefined {
  try {
    const { values } = parseArgs({
      options: { runs: { type: "string" }, seed: { type: "string" } },
    });
    const runs = Number(values.runs ?? 1000);
    const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
    const valid = Number.isInteger(runs) && runs > 0 && Number.isInteger(seed) && seed >= 0;
    return valid && seed < 2 ** 32 ? { runs, seed } : undefined;
  } catch {
    return undefined;
  }
}

function showFailure({ seed, trace, violations }: SimulationReport, length: number): void {
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
