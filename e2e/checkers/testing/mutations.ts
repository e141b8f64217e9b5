import { BROKER_MUTATIONS } from "./broker-mutations.ts";
import { EXECUTION_MUTATIONS } from "./execution-mutations.ts";
import type { Mutation } from "./mutation.ts";
import { POD_MUTATIONS } from "./pod-mutations.ts";
import { VOLUME_MUTATIONS } from "./volume-mutations.ts";

export const MUTATIONS: readonly Mutation[] = [
  ...EXECUTION_MUTATIONS,
  ...VOLUME_MUTATIONS,
  ...BROKER_MUTATIONS,
  ...POD_MUTATIONS,
];
