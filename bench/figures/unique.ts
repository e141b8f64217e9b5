import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, THREADS } from "../run-program.ts";
import { takeTurns } from "../compare.ts";
import type { BenchContext, Figure, Measure } from "../figure.ts";
import type { ActionOptions, ActionResult } from "../volume/run-actions.ts";

const ACTIONS = 4000;
const SLOW_ACTIONS = 1920;
const DELAY_MS = 10;
const ROUNDS = 3;
const RATIO_MIN = 0.7;

/**
 * Figure (b) measures actions that nobody has begun, each with its durable claim and outcome, where the
 * action itself costs nothing.
 */
export const unique: Measure = async (context) => [
  await onThisDisk(context),
  await onSlowVolume(context),
];

async function onThisDisk(context: BenchContext): Promise<Figure> {
  const run = (command: "runActions" | "repeatOperations") => async (): Promise<number> => {
    const { durationMs } = await runOn(context, command, { actions: ACTIONS, delayMs: 0 });
    context.printLine(`b: ${command} ${Math.round(durationMs)} ms`);
    return durationMs;
  };
  const { medianMs, peerMedianMs } = await takeTurns(
    run("runActions"),
    run("repeatOperations"),
    ROUNDS,
  );
  const ratio = peerMedianMs / medianMs;
  return {
    group: "b",
    what: "unique actions, claim and outcome durable",
    measured: (ACTIONS / medianMs) * 1000,
    unit: "actions/s",
    peerName: "bare loop, same file operations",
    peer: (ACTIONS / peerMedianMs) * 1000,
    ratio,
    limit: `at least ${RATIO_MIN} x`,
    reached: ratio >= RATIO_MIN,
  };
}

async function onSlowVolume(context: BenchContext): Promise<Figure> {
  const { durationMs, calls } = await runOn(context, "runActions", {
    actions: SLOW_ACTIONS,
    delayMs: DELAY_MS,
  });
  const boundMs = (calls * DELAY_MS) / THREADS;
  context.printLine(
    `b: ${(calls / SLOW_ACTIONS).toFixed(1)} calls an action, ${Math.round(durationMs)} ms`,
  );
  const ratio = boundMs / durationMs;
  return {
    group: "b",
    what: `the same, ${DELAY_MS} ms in every call (${(calls / SLOW_ACTIONS).toFixed(1)} an action)`,
    measured: (SLOW_ACTIONS / durationMs) * 1000,
    unit: "actions/s",
    peerName: `what ${THREADS} threads and the delay allow`,
    peer: (SLOW_ACTIONS / boundMs) * 1000,
    ratio,
    limit: `at least ${RATIO_MIN} x`,
    reached: ratio >= RATIO_MIN,
  };
}

async function runOn(
  context: BenchContext,
  command: "runActions" | "repeatOperations",
  options: Omit<ActionOptions, "directory">,
): Promise<ActionResult> {
  const directory = join(context.directory, `${command}-${randomBytes(4).toString("hex")}`);
  await mkdir(directory);
  try {
    return await runProgram("volume.ts", [command, JSON.stringify({ directory, ...options })]);
  } finally {
    await rm(directory, { recursive: true });
  }
}
