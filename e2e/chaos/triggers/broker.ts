import type { TriggerKind } from "../trigger-kind.ts";

export const BROKER_TRIGGERS: readonly TriggerKind[] = [];
