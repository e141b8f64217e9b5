import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import {
  endpointError,
  endpointReset,
  endpointSlow,
  endpointTooManyRequests,
} from "./endpoint/answers.ts";
import { endpointHang } from "./endpoint/hang.ts";

export const ENDPOINT_FAULTS: readonly FaultKind[] = [
  endpointSlow,
  endpointHang,
  endpointReset,
  endpointTooManyRequests,
  endpointError,
];
