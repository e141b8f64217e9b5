import { z } from "zod";
import { podName } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";
import { faultKind, FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { FaultContext, FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { actAlone } from "./act-alone.ts";
import { lastingFault } from "./injected-fault.ts";

/**
 * Half of the default of `execution.clockSkewMsMax`, which the kit does not change: two pods may be
 * stepped in opposite directions.
 */
const STEP_MS_MAX = 30_000;
const STEP_MS_MIN = 500;
/** More than `execution.clockSkewMsMax`, and less than the largest age of an event. */
const BEYOND_SKEW_MS = 300_000;
/** The largest difference between the time that a process shows and the requested one. */
const TOLERANCE_MS = 100;
/**
 * The longest time until a pod has a process that takes the clock, as a multiple of `triggerMsMax`.
 */
const PROCESS_SHARE = 2;
const LOOK_INTERVAL_MS = 20;

const offset = z
  .int()
  .min(-STEP_MS_MAX)
  .max(STEP_MS_MAX)
  .refine((offsetMs) => Math.abs(offsetMs) >= STEP_MS_MIN, {
    error: `must be at least ${STEP_MS_MIN} ms ahead or behind`,
  });

export const CLOCK_FAULTS: readonly FaultKind[] = [
  faultKind<{ readonly offsetMs: number }>({
    name: "clock.step",
    title:
      "The wall clock of a pod is stepped by less than the allowed clock skew (only the Date of JavaScript).",
    scope: "pod",
    lasting: true,
    needs: [],
    causes: [],
    parameters: z.strictObject({ offsetMs: offset }),
    draw: (random) => ({
      offsetMs:
        (STEP_MS_MIN + random.below(STEP_MS_MAX - STEP_MS_MIN)) * random.pick([1, -1] as const),
    }),
    inject: async (context, { offsetMs }) => await stepClock(context, offsetMs),
  }),
  faultKind<{ readonly direction: 1 | -1 }>({
    name: "clock.beyond-skew",
    title:
      "The wall clock of a pod is stepped by more than the allowed clock skew, so that the pod begins nothing " +
      "until it is corrected.",
    scope: "pod",
    lasting: true,
    needs: [],
    causes: [],
    parameters: z.strictObject({ direction: z.union([z.literal(1), z.literal(-1)]) }),
    draw: (random) => ({ direction: random.pick([1, -1] as const) }),
    inject: async (context, { direction }) => await stepClock(context, direction * BEYOND_SKEW_MS),
  }),
];

/**
 * Steps the clock of the processes of a pod, and of those that it starts later, until it is healed.
 * Resolves when one of them shows it, since a pod that is just starting has no process for a while.
 */
export async function stepClock(
  {
    deployment,
    pod,
    durations,
    signal,
  }: Pick<FaultContext, "pod" | "durations" | "signal"> & {
    readonly deployment: {
      readonly podFaults: Pick<TestDeployment["podFaults"], "moveClock" | "clocksAheadMs">;
      readonly target: Pick<TestDeployment["target"], "pods">;
    };
  },
  offsetMs: number,
): Promise<InjectedFault> {
  const alone = actAlone(deployment, `the clock of pod ${pod}`);
  const heal = async (): Promise<void> => {
    await deployment.podFaults.moveClock(pod, 0);
    alone[Symbol.dispose]();
  };
  const isStepped = (): boolean =>
    deployment.podFaults
      .clocksAheadMs(pod)
      .some((aheadMs) => Math.abs(aheadMs - offsetMs) <= TOLERANCE_MS);
  const isPresent = async (): Promise<boolean> =>
    (await deployment.target.pods()).some((present) => podName(present) === pod);
  await using undoing = new AsyncDisposableStack();
  undoing.defer(heal);
  await deployment.podFaults.moveClock(pod, offsetMs);
  const endMs = performance.now() + PROCESS_SHARE * durations.triggerMsMax;
  while (!isStepped()) {
    if (performance.now() >= endMs || !(await isPresent())) {
      throw new FaultImpossibleError(`no process of pod ${pod} has taken the clock`);
    }
    await pause(LOOK_INTERVAL_MS, signal);
  }
  undoing.move();
  // The history of the run corrects the times of the pod by the number at the beginning.
  return lastingFault(async () => `${offsetMs} ms, as its process says`, heal);
}
