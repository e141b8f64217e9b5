import type { Random } from "#consumer/ports.ts";
import { type Note, assignAll, isCommitted, isEvery, running, start, until } from "./progress.ts";
import { judgeRecovery } from "./recovery.ts";
import { replaySwept } from "#simulator/model/replay.ts";
import { DURATIONS, EXECUTION } from "#simulator/model/settings.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import type { Model } from "#simulator/model/model.ts";

/** What is done once everything works again; what is undefined is not done. */
export interface Ending {
  /** What was swept comes again. */
  readonly replay: StepRandom | undefined;
  /** All claims become old and are swept. */
  readonly sweep: StepRandom | undefined;
  /** What is left is opened, cut off and damaged. */
  readonly recovery: Random;
}

export function drawsReplay(draws: StepRandom): boolean {
  return draws.next() < 0.3;
}

export function drawsSweep(draws: StepRandom): boolean {
  return draws.next() < 0.5;
}

/** Everybody goes on, in order, until all is done; then stops, and what is left is judged. */
export async function settle(model: Model, ending: Ending, note: Note): Promise<void> {
  const { clock, judge, pods, violations } = model;
  const { replay, sweep, recovery } = ending;
  await until(model, note, "stopped", () => isEvery(model, "starting", "running", "ended"));
  await start(model, note);
  assignAll(model);
  await until(model, note, "committed", () => isCommitted(model));
  const ready = (): boolean => running(model).every(({ history }) => history?.state.ready);
  await until(model, note, "ready", ready);
  if (replay) await replaySwept(model, replay, note);
  const owners = running(model);
  if (sweep) {
    // Once at any time, when nothing may go that is not old, and once when everything is.
    const anyTimeMs = sweep.below(DURATIONS.eventAgeMsMax);
    for (const durationMs of [anyTimeMs, model.limits.retentionMs + EXECUTION.orphanWaitMs]) {
      await clock.advance(durationMs);
      let swept = false;
      void owners[0]?.sweep().then(() => (swept = true));
      await until(model, note, "swept", () => swept);
    }
  }
  for (const pod of pods.values()) pod.stop();
  await until(model, note, "stopped", () => isEvery(model, "ended"));
  if (violations.length > 0) return;
  judge.atEnd(sweep !== undefined);
  await judgeRecovery(model, recovery);
}
