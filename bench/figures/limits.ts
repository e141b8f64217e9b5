import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../run-program.ts";
import { median } from "../compare.ts";
import type { BenchContext, Measure } from "../figure.ts";
import type { LimitsResult } from "../volume/limits.ts";

const FEW = 100;
const MANY = 1_000_000;
const ROUNDS = 5;
const COST_MAX = 2;
const PEAK_BYTES_MAX = 300e6;

/**
 * Figure (i) measures the time to decide whether a rule with limits may run, when a million decisions about that rule
 * exist already. The peer is the same decision when there are only a hundred.
 */
export const limits: Measure = async (context) => {
  const few = await stocked(context, FEW);
  const many = await stocked(context, MANY);
  const costs: Record<"few" | "many", LimitsResult[]> = { few: [], many: [] };
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      costs.few.push(await ask(few));
      costs.many.push(await ask(many));
    }
  } finally {
    for (const { directory } of [few, many]) await rm(directory, { recursive: true, force: true });
  }
  const measured = median(costs.many.map(({ admissionMs }) => admissionMs));
  const peer = median(costs.few.map(({ admissionMs }) => admissionMs));
  const peakBytes = Math.max(...costs.many.map((result) => result.peakBytes));
  const eventLoopBlockedMsMax = median(costs.many.map((result) => result.eventLoopBlockedMsMax));
  const blocked = `event loop blocked for ${eventLoopBlockedMsMax.toFixed(0)} ms`;
  return [
    {
      group: "i",
      what: `an admission by limits, ${MANY.toLocaleString("en")} decisions (${blocked})`,
      measured,
      unit: "ms",
      peerName: `${FEW} decisions`,
      peer,
      ratio: measured / peer,
      limit: `at most ${COST_MAX} x`,
      reached: measured / peer <= COST_MAX,
    },
    {
      group: "i",
      what: "its memory, the whole process",
      measured: peakBytes / 1e6,
      unit: "MB",
      peerName: "",
      peer: null,
      ratio: null,
      limit: `at most ${PEAK_BYTES_MAX / 1e6} MB`,
      reached: peakBytes <= PEAK_BYTES_MAX,
    },
  ];
};

interface Stocked {
  readonly directory: string;
  readonly decisions: number;
}

async function stocked(
  { directory, printLine }: BenchContext,
  decisions: number,
): Promise<Stocked> {
  const options = { directory: join(directory, `limits-${decisions}`), decisions };
  await mkdir(options.directory);
  printLine(`i: a rule with ${decisions} decisions`);
  await runProgram("volume.ts", ["fillDecisions", JSON.stringify(options)]);
  return options;
}

function ask(options: Stocked): Promise<LimitsResult> {
  return runProgram<LimitsResult>("volume.ts", ["measureAdmissions", JSON.stringify(options)]);
}
