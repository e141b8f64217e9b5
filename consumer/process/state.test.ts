import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { createLifecycle } from "./state.ts";
import type { Lifecycle } from "./state.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { ProcessState } from "#consumer/ports.ts";
import { createRecordedLog } from "#fixtures/ports/observers.ts";

const PROCESS_STATES: readonly ProcessState[] = ["starting", "running", "draining", "stopped"];

function started() {
  const clock = createManualClock();
  const log = createRecordedLog();
  const lifecycle = createLifecycle({
    clock,
    log,
    drainMs: 300,
    stuckAfterMs: { starting: 1_000, draining: 500 },
  });
  return { clock, lifecycle, log };
}

const STOP = new Error("SIGTERM");

test("a state that outlives its deadline is not alive; one without a deadline lives for ever", async () => {
  const { clock, lifecycle } = started();
  await clock.advance(1_000);
  expect(lifecycle.liveness()).toEqual({ alive: true, state: "starting", stateAgeMs: 1_000 });
  await clock.advance(1);
  expect(lifecycle.liveness()).toMatchObject({ alive: false, state: "starting" });
  lifecycle.run();
  await clock.advance(1e9);
  expect(lifecycle.liveness()).toMatchObject({ alive: true, state: "running" });
  lifecycle.drain(STOP);
  await clock.advance(501);
  expect(lifecycle.liveness()).toMatchObject({ alive: false, state: "draining" });
});

type Step = (lifecycle: Lifecycle) => void;

const STEP_TO: Readonly<Record<Exclude<ProcessState, "starting">, Step>> = {
  running: (lifecycle) => lifecycle.run(),
  draining: (lifecycle) => lifecycle.drain(STOP),
  stopped: (lifecycle) => lifecycle.stop(),
};

const WAY_TO: Readonly<Record<ProcessState, readonly Exclude<ProcessState, "starting">[]>> = {
  starting: [],
  running: ["running"],
  draining: ["draining"],
  stopped: ["draining", "stopped"],
};

function canGo(from: ProcessState, to: ProcessState): boolean {
  const { lifecycle } = started();
  for (const state of WAY_TO[from]) STEP_TO[state](lifecycle);
  if (to === "starting") return false;
  try {
    STEP_TO[to](lifecycle);
  } catch {
    return false;
  }
  return from !== to && lifecycle.state === to;
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

test("a stop that is asked for begins the drain, and is no failure", () => {
  const { lifecycle, log } = started();
  lifecycle.run();
  lifecycle.drain(STOP);
  lifecycle.drain(new Error("SIGINT"));
  expect(lifecycle.draining.reason).toBe(STOP);
  expect(lifecycle.exitCode).toBe(0);
  expect(log.of("process.failed")).toEqual([]);
});

test("the first failure begins the drain and decides the exit code, also after a stop", () => {
  const { lifecycle, log } = started();
  const denied = new ConsumerError("broker-denied", "no access");
  lifecycle.drain(STOP);
  lifecycle.fail(denied);
  lifecycle.fail(denied);
  lifecycle.fail(new Error("a bug"));
  expect(lifecycle.draining.reason).toBe(STOP);
  expect(lifecycle.exitCode).toBe(77);
  expect(log.of("process.failed").map(({ error }) => error)).toEqual([denied, new Error("a bug")]);
});

test("the deadline of the drain starts with the drain, and ends with it", async () => {
  const { clock, lifecycle } = started();
  const never = new Promise<void>(() => undefined);
  let inTime: boolean | undefined;
  void lifecycle.drainDeadline.isMetBy(never).then((isMet) => (inTime = isMet));
  await clock.advance(1_000);
  expect(inTime).toBe(undefined);
  lifecycle.fail(new Error("a bug"));
  expect(await lifecycle.drainDeadline.isMetBy(Promise.resolve())).toBe(true);
  await clock.advance(299);
  expect(inTime).toBe(undefined);
  await clock.advance(1);
  expect(inTime).toBe(false);
});
