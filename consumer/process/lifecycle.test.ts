import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { recordingLog } from "#fixtures/ports/in-memory-ports.ts";
import { createLifecycle } from "./lifecycle.ts";
import type { ProcessState } from "#consumer/ports.ts";

const PROCESS_STATES: readonly ProcessState[] = ["starting", "running", "draining", "stopped"];

function started() {
  const clock = createManualClock();
  return { clock, lifecycle: createLifecycle({ clock, log: recordingLog() }, 1_000) };
}

test("a state that outlives its deadline is not alive; one without a deadline lives for ever", async () => {
  const { clock, lifecycle } = started();
  await clock.advance(1_000);
  expect(lifecycle.liveness()).toEqual({ alive: true, state: "starting", stateAgeMs: 1_000 });
  await clock.advance(1);
  expect(lifecycle.liveness()).toMatchObject({ alive: false, state: "starting" });
  lifecycle.enter("running");
  await clock.advance(1e9);
  expect(lifecycle.liveness()).toMatchObject({ alive: true, state: "running" });
  lifecycle.enter("draining", 500);
  await clock.advance(501);
  expect(lifecycle.liveness()).toMatchObject({ alive: false, state: "draining" });
});

const WAY_TO: Readonly<Record<ProcessState, readonly ProcessState[]>> = {
  starting: [],
  running: ["running"],
  draining: ["draining"],
  stopped: ["draining", "stopped"],
};

function canGo(from: ProcessState, to: ProcessState): boolean {
  const { lifecycle } = started();
  for (const state of WAY_TO[from]) lifecycle.enter(state);
  try {
    lifecycle.enter(to);
    return true;
  } catch {
    return false;
  }
}

test("no way leads back, and every way leads through draining", () => {
  const ways = PROCESS_STATES.flatMap((from) =>
    PROCESS_STATES.filter((to) => canGo(from, to)).map((to) => `${from} -> ${to}`),
  );
  expect(ways).toEqual([
    "starting -> running",
    "starting -> draining",
    "running -> draining",
    "draining -> stopped",
  ]);
});
