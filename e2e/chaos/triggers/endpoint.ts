import type { TriggerKind } from "../trigger-kind.ts";

export const ENDPOINT_TRIGGERS: readonly TriggerKind[] = [];
