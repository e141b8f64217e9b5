import type { TriggerKind } from "../trigger-kind.ts";

export const POD_TRIGGERS: readonly TriggerKind[] = [];
