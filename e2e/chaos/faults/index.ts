import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { BROKER_FAULTS } from "./broker.ts";
import { CKMS_FAULTS } from "./ckms.ts";
import { CLOCK_FAULTS } from "./clock.ts";
import { ENDPOINT_FAULTS } from "./endpoint.ts";
import { IDENTITY_FAULTS } from "./identity.ts";
import { NODE_FAULTS } from "./node.ts";
import { POD_FAULTS } from "./pod.ts";
import { VOLUME_FAULTS } from "./volume.ts";

/** Every kind of fault, in the order of the documentation. */
export const FAULT_KINDS: readonly FaultKind[] = [
  ...POD_FAULTS,
  ...NODE_FAULTS,
  ...BROKER_FAULTS,
  ...IDENTITY_FAULTS,
  ...CKMS_FAULTS,
  ...VOLUME_FAULTS,
  ...CLOCK_FAULTS,
  ...ENDPOINT_FAULTS,
];
