import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../run-program.ts";
import { median } from "../compare.ts";
import type { BenchContext, Figure, Measure } from "../figure.ts";
import type { ActionResult } from "../volume/run-actions.ts";
import type { RecoverResult } from "../volume/recover.ts";

const ACTIONS = 2000;
const REWRITES: ReadonlyMap<number, number> = new Map([
  [1000, 50],
  [10_000, 20],
  [100_000, 3],
]);
const REWRITE_RATIO_MIN = 100;
const RECOVERY_MS_MAX = 2000;
const RECOVERY_BYTES_MAX = 300e6;
const GROWTH_MAX = 1.5;
const SHARED_ENTRIES_MIN = 100_000;

/** Figure (c) compares the history with one JSON file that is rewritten for every action. */
export const rewriting: Measure = async (context) => {
  const figures: Figure[] = [];
  for (const [entries, actions] of REWRITES) {
    const costMs = await costOfAction(context, entries, 1);
    const rewritten = await onVolume(context, entries, (directory) =>
      run<{ durationMs: number }>("rewrite", { directory, entries, actions }),
    );
    const peerMs = rewritten.durationMs / actions;
    const ratio = peerMs / costMs;
    const isLimited = entries === 100_000;
    figures.push({
      group: "c",
      what: `an action, ${entries.toLocaleString("en")} entries`,
      measured: costMs,
      unit: "ms",
      peerName: "one JSON file, rewritten for each",
      peer: peerMs,
      ratio,
      limit: isLimited ? `at least ${REWRITE_RATIO_MIN} x` : "",
      reached: !isLimited || ratio >= REWRITE_RATIO_MIN,
    });
  }
  return figures;
};

/** Figure (d) measures the time from a cold process to a history that answers. */
export const recovery: Measure = async (context) => {
  const figures: Figure[] = [];
  for (const entries of [10_000, 100_000, 1_000_000]) {
    const { recovered, parsed } = await onVolume(context, entries, async (directory) => ({
      recovered: [
        await run<RecoverResult>("recover", { directory, entries }),
        await run<RecoverResult>("recover", { directory, entries }),
        await run<RecoverResult>("recover", { directory, entries }),
      ],
      parsed: await run<{ durationMs: number }>("parse", { directory, entries }),
    }));
    const durationMs = median(recovered.map((result) => result.durationMs));
    const peakBytes = Math.max(...recovered.map((result) => result.peakBytes));
    const isLimited = entries === 1_000_000;
    const name = `${entries.toLocaleString("en")} entries`;
    figures.push(
      {
        group: "d",
        what: `recovery, ${name}`,
        measured: durationMs,
        unit: "ms",
        peerName: "JSON.parse of a file with them",
        peer: parsed.durationMs,
        ratio: durationMs / parsed.durationMs,
        limit: isLimited ? `at most ${RECOVERY_MS_MAX} ms` : "",
        reached: !isLimited || durationMs <= RECOVERY_MS_MAX,
      },
      {
        group: "d",
        what: `peak memory of it, ${name}`,
        measured: peakBytes / 1e6,
        unit: "MB",
        peerName: "",
        peer: null,
        ratio: null,
        limit: isLimited ? `at most ${RECOVERY_BYTES_MAX / 1e6} MB` : "",
        reached: !isLimited || peakBytes <= RECOVERY_BYTES_MAX,
      },
    );
  }
  return figures;
};

/** Figure (e) measures the cost of an action as the history grows. */
export const growth: Measure = async (context) => {
  const figures: Figure[] = [];
  let smallMs: number | null = null;
  for (const entries of [1000, 10_000, 100_000, 1_000_000]) {
    const costMs = await costOfAction(context, entries, 3);
    const ratio = smallMs === null ? null : costMs / smallMs;
    figures.push({
      group: "e",
      what: `an action, ${entries.toLocaleString("en")} entries`,
      measured: costMs,
      unit: "ms",
      peerName: smallMs === null ? "" : "with 1,000 entries",
      peer: smallMs,
      ratio,
      limit: ratio === null ? "" : `at most ${GROWTH_MAX} x`,
      reached: ratio === null || ratio <= GROWTH_MAX,
    });
    smallMs ??= costMs;
  }
  return figures;
};

/** Returns the milliseconds of one of many concurrent actions, as the median of some rounds. */
async function costOfAction(
  context: BenchContext,
  entries: number,
  rounds: number,
): Promise<number> {
  return await onVolume(context, entries, async (directory) => {
    const costs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const options = { directory, actions: ACTIONS, delayMs: 0 };
      costs.push((await run<ActionResult>("runActions", options)).durationMs / ACTIONS);
    }
    context.printLine(
      `an action with ${entries} entries: ${costs.map((cost) => cost.toFixed(3)).join(", ")} ms`,
    );
    return median(costs);
  });
}

/**
 * Runs on a volume with that many entries: a new one, unless it is so large that some more entries
 * make no difference.
 */
async function onVolume<T>(
  context: BenchContext,
  entries: number,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = join(context.directory, `volume-${entries}`);
  const made = await mkdir(directory, { recursive: true });
  if (made !== undefined) {
    const { durationMs } = await run<{ durationMs: number }>("fillVolume", { directory, entries });
    context.printLine(`a volume of ${entries} entries, made in ${Math.round(durationMs)} ms`);
  }
  const result = await use(directory);
  if (entries < SHARED_ENTRIES_MIN) await rm(directory, { recursive: true });
  return result;
}

async function run<T>(command: string, options: object): Promise<T> {
  return await runProgram<T>("volume.ts", [command, JSON.stringify(options)]);
}
