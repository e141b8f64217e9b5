import type { FaultKind } from "../fault-kind.ts";
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
