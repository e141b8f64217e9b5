import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, THREADS } from "../child.ts";
import { takeTurns } from "../compare.ts";
import type { BenchContext, Figure, Measure } from "../figure.ts";
import type { ActOptions, ActResult } from "../volume/act.ts";

const ACTIONS = 4000;
const SLOW_ACTIONS = 1920;
const DELAY_MS = 10;
const ROUNDS = 5;
const SLOW_ROUNDS = 3;
const RATIO_MIN = 0.7;

/** (b) Actions that nobody has begun, each with its durable claim and outcome; they themselves cost nothing. */
export const unique: Measure = async (context) => [
  await onThisDisk(context),
  await onSlowVolume(context),
];

async function onThisDisk(context: BenchContext): Promise<Figure> {
  const run = (command: "act" | "replay") => async (): Promise<number> => {
    const { durationMs } = await runOn(context, command, { actions: ACTIONS, delayMs: 0 });
    context.tell(`b: ${command} ${Math.round(durationMs)} ms`);
    return durationMs;
  };
  const { medianMs, peerMedianMs } = await takeTurns(run("act"), run("replay"), ROUNDS);
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

/** What threads and delay allow is measured too: no machine that is at work wakes a thread after 10 ms sharp. */
async function onSlowVolume(context: BenchContext): Promise<Figure> {
  const options = { actions: SLOW_ACTIONS, delayMs: DELAY_MS };
  let calls = 0;
  const act = async (): Promise<number> => {
    const result = await runOn(context, "act", options);
    calls = result.calls;
    return result.durationMs;
  };
  const bare = async (): Promise<number> => {
    const parameters = JSON.stringify({ calls, delayMs: DELAY_MS });
    return (await runProgram<{ durationMs: number }>("volume.ts", ["bareCalls", parameters]))
      .durationMs;
  };
  const { medianMs, peerMedianMs } = await takeTurns(act, bare, SLOW_ROUNDS);
  const ratio = peerMedianMs / medianMs;
  const callsEach = (calls / SLOW_ACTIONS).toFixed(1);
  const heldMs = (peerMedianMs * THREADS) / calls;
  const computed = (calls * DELAY_MS) / THREADS / medianMs;
  context.tell(
    `b: ${callsEach} calls an action; ${computed.toFixed(2)} x what calls of ${DELAY_MS} ms sharp would allow`,
  );
  return {
    group: "b",
    what: `the same, ${DELAY_MS} ms in every call (${callsEach} an action)`,
    measured: (SLOW_ACTIONS / medianMs) * 1000,
    unit: "actions/s",
    peerName: `what ${THREADS} threads with calls of ${heldMs.toFixed(1)} ms allow`,
    peer: (SLOW_ACTIONS / peerMedianMs) * 1000,
    ratio,
    limit: `at least ${RATIO_MIN} x`,
    reached: ratio >= RATIO_MIN,
  };
}

async function runOn(
  context: BenchContext,
  command: "act" | "replay",
  options: Omit<ActOptions, "directory">,
): Promise<ActResult> {
  const directory = join(context.directory, `${command}-${randomBytes(4).toString("hex")}`);
  await mkdir(directory);
  try {
    return await runProgram("volume.ts", [command, JSON.stringify({ directory, ...options })]);
  } finally {
    await rm(directory, { recursive: true });
  }
}
