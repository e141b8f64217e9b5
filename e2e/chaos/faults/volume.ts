import { z } from "zod";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { OPERATION_GROUP_NAMES, failVolume } from "#e2e/chaos/in-pod/failing-volume.ts";
import type { VolumeFault } from "#e2e/chaos/in-pod/failing-volume.ts";
import type { SeededRandom } from "#e2e/base/random.ts";

const NOTHING = z.strictObject({});
const ON_GROUP = z.strictObject({ on: z.enum(OPERATION_GROUP_NAMES) });
const DELAYS_MS = [20, 100, 400];
const ATTEMPT_FILES = ["claim", "outcome"] as const;
const SEEN = ["eexist", "eio"] as const;

export const VOLUME_FAULTS: readonly FaultKind[] = [
  volumeFault({
    name: "volume.full",
    title: "The history volume is full for the pod: it takes no new name and no byte (ENOSPC).",
    parameters: NOTHING,
    draw: () => ({}),
    fault: () => ({ type: "full" }),
  }),
  volumeFault({
    name: "volume.eio",
    title: "A group of operations of the pod on the history volume fails with EIO.",
    parameters: ON_GROUP,
    draw: (random) => ({ on: random.pick(OPERATION_GROUP_NAMES) }),
    fault: ({ on }) => ({ type: "eio", on }),
  }),
  volumeFault({
    name: "volume.stale",
    title: "A group of operations of the pod on the history volume fails with ESTALE.",
    parameters: ON_GROUP,
    draw: (random) => ({ on: random.pick(OPERATION_GROUP_NAMES) }),
    fault: ({ on }) => ({ type: "stale", on }),
  }),
  volumeFault({
    name: "volume.read-only",
    title: "The history volume is read-only for the pod (EROFS).",
    parameters: NOTHING,
    draw: () => ({}),
    fault: () => ({ type: "read-only" }),
  }),
  volumeFault({
    name: "volume.slow",
    title: "Every operation of the pod on the history volume takes longer.",
    parameters: z.strictObject({ delayMs: z.int().min(1).max(5000) }),
    draw: (random) => ({ delayMs: random.pick(DELAYS_MS) }),
    fault: ({ delayMs }) => ({ type: "slow", delayMs }),
  }),
  volumeFault({
    name: "volume.reply-lost",
    title:
      "Each link(2) of a claim or an outcome is applied and its reply is lost: the pod sees EEXIST, as after a " +
      "retransmission, or EIO.",
    parameters: z.strictObject({ seen: z.enum(SEEN), of: z.enum(ATTEMPT_FILES) }),
    draw: (random) => ({ seen: random.pick(SEEN), of: random.pick(ATTEMPT_FILES) }),
    fault: ({ seen, of: purpose }) => ({ type: "reply-lost", seen, of: purpose }),
  }),
];

interface VolumeFaultKind<Parameters extends object> {
  readonly name: string;
  readonly title: string;
  readonly parameters: z.ZodType<Parameters>;
  draw(random: SeededRandom): Parameters;
  readonly fault: (parameters: Parameters) => VolumeFault;
}

function volumeFault<Parameters extends object>({
  fault,
  ...kind
}: VolumeFaultKind<Parameters>): FaultKind {
  return faultKind<Parameters>({
    ...kind,
    scope: "pod",
    lasting: true,
    needs: [],
    causes: [],
    inject: async ({ deployment, pod }, parameters) => {
      const failing = await failVolume(deployment, pod, fault(parameters));
      return {
        fired: async () => {
          const { length, [0]: first } = failing.hits;
          return first === undefined ? undefined : `${length} operations met it, first ${first}`;
        },
        heal: () => failing.mend(),
        [Symbol.asyncDispose]: () => failing.mend(),
      };
    },
  });
}
