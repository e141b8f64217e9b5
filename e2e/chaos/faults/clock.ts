import { z } from "zod";
import { faultKind } from "../fault-kind.ts";
import type { FaultKind, InjectedFault } from "../fault-kind.ts";
import type { Stage } from "../../stage.ts";

/** Half of the default of `execution.clockSkewMsMax`, which the kit leaves as it is: two pods may be stepped apart. */
const STEP_MS_MAX = 30_000;
const STEP_MS_MIN = 500;
/** Beyond `execution.clockSkewMsMax`, and less than what an event may be old. */
const BEYOND_SKEW_MS = 300_000;
/** How far what a process shows may be from what was asked for. */
const TOLERANCE_MS = 100;

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
      "The wall clock of a pod is stepped by less than pods may differ. (The Date of JavaScript alone.)",
    scope: "pod",
    lasting: true,
    needs: [],
    causes: [],
    parameters: z.strictObject({ offsetMs: offset }),
    draw: (random) => ({
      offsetMs:
        (STEP_MS_MIN + random.below(STEP_MS_MAX - STEP_MS_MIN)) * random.pick([1, -1] as const),
    }),
    inject: ({ stage, pod }, { offsetMs }) => stepClock(stage, pod, offsetMs),
  }),
  faultKind<{ readonly direction: 1 | -1 }>({
    name: "clock.beyond-skew",
    title:
      "The wall clock of a pod is stepped further than it may differ from the volume's: the pod begins nothing until it is right again.",
    scope: "pod",
    lasting: true,
    needs: [],
    causes: [],
    parameters: z.strictObject({ direction: z.union([z.literal(1), z.literal(-1)]) }),
    draw: (random) => ({ direction: random.pick([1, -1] as const) }),
    inject: ({ stage, pod }, { direction }) => stepClock(stage, pod, direction * BEYOND_SKEW_MS),
  }),
];

/** Steps the clock of the processes of a pod, and of those that it starts later, until it is healed. */
export async function stepClock(
  stage: Pick<Stage, "podFaults">,
  pod: string,
  offsetMs: number,
): Promise<InjectedFault> {
  const { aheadMs } = await stage.podFaults.moveClock(pod, offsetMs);
  const isStepped = aheadMs.some((shown) => Math.abs(shown - offsetMs) <= TOLERANCE_MS);
  let healing: Promise<unknown> | undefined;
  const heal = async (): Promise<void> => {
    healing ??= stage.podFaults.moveClock(pod, 0);
    await healing;
  };
  return {
    // The history of the run turns the times of the pod back by the number at the beginning.
    fired: async () => (isStepped ? `${offsetMs} ms, as its process says` : undefined),
    heal,
    [Symbol.asyncDispose]: heal,
  };
}
