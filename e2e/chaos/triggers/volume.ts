import type { TriggerKind } from "../trigger-kind.ts";

export const VOLUME_TRIGGERS: readonly TriggerKind[] = [];
