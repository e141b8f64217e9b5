import { z } from "zod";
import { nameOf } from "#e2e/chaos/in-pod/failing-volume.ts";
import type { VolumeOperation, VolumePurpose } from "#e2e/chaos/in-pod/volume-rule.ts";
import { triggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";

const PHASES = ["before", "after"] as const;

export const VOLUME_TRIGGERS: readonly TriggerKind[] = [
  volumeTrigger({
    name: "volume.claim-linked",
    title: "A claim is linked on the history volume.",
    operation: "link",
    purpose: "claim",
  }),
  volumeTrigger({
    name: "volume.outcome-linked",
    title: "An outcome is linked on the history volume.",
    operation: "link",
    purpose: "outcome",
  }),
  volumeTrigger({
    name: "volume.directory-synced",
    title: "The directory of a claim is synced.",
    operation: "sync-directory",
    purpose: "claims-directory",
  }),
  volumeTrigger({
    name: "volume.journal-appended",
    title: "A pod appends to its journal: the header, outcomes or the seal.",
    operation: "write",
    purpose: "journal",
  }),
  volumeTrigger({
    name: "volume.snapshot-linked",
    title: "The next generation of the snapshot is linked.",
    operation: "link",
    purpose: "snapshot",
  }),
];

interface VolumeMoment {
  readonly name: string;
  readonly title: string;
  readonly operation: VolumeOperation;
  readonly purpose: VolumePurpose;
}

/**
 * Holds the operation before it is applied, or when it has been applied and its reply is on the
 * way.
 */
function volumeTrigger({ operation, purpose, ...kind }: VolumeMoment): TriggerKind {
  return triggerKind({
    ...kind,
    holds: true,
    needs: [],
    requires: ["actions"],
    parameters: z.strictObject({ phase: z.enum(PHASES) }),
    draw: (random) => ({ phase: random.pick(PHASES) }),
    arm: async ({ deployment, pod, ordinal }, { phase }) => {
      const rule = await deployment.podFaults.arm({
        pod,
        operations: [operation],
        purposes: [purpose],
        phase,
        action: { type: "hold", ordinal },
      });
      return {
        reached: rule.reached.then((hit) => ({
          atMs: hit.atMs,
          pod: hit.pod,
          detail: `${phase} ${nameOf(hit)}`,
        })),
        release: () => rule.disarm(),
        [Symbol.asyncDispose]: () => rule.disarm(),
      };
    },
  });
}
