import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import { BROKER_TRIGGERS } from "./broker.ts";
import { ENDPOINT_TRIGGERS } from "./endpoint.ts";
import { LOG_TRIGGERS } from "./log.ts";
import { POD_TRIGGERS } from "./pod.ts";
import { VOLUME_TRIGGERS } from "./volume.ts";

/** Every kind of trigger, in the order of the documentation. */
export const TRIGGER_KINDS: readonly TriggerKind[] = [
  ...ENDPOINT_TRIGGERS,
  ...BROKER_TRIGGERS,
  ...VOLUME_TRIGGERS,
  ...POD_TRIGGERS,
  ...LOG_TRIGGERS,
];
