import { z } from "zod";
import type { FaultKind, FaultStep } from "#e2e/chaos/fault-kind.ts";
import { FAULT_KINDS } from "#e2e/chaos/faults/index.ts";
import type { TriggerKind, TriggerStep } from "#e2e/chaos/trigger-kind.ts";
import { TRIGGER_KINDS } from "#e2e/chaos/triggers/index.ts";
import { FAULT_FIELDS, TRIGGER_FIELDS } from "./shape.ts";

/** The kinds that a schedule may name. */
export interface Kinds {
  readonly faults: readonly FaultKind[];
  readonly triggers: readonly TriggerKind[];
}

export const REGISTERED_KINDS: Kinds = { faults: FAULT_KINDS, triggers: TRIGGER_KINDS };

/** Returns `pod` for `pod.kill`. */
export function familyOf({ name }: { readonly name: string }): string {
  return name.slice(0, name.indexOf("."));
}

/** Returns the parameters that a step has for its kind, beside what each step has. */
export function ownParameters(step: FaultStep | TriggerStep): Readonly<Record<string, unknown>> {
  const common = "fault" in step ? FAULT_FIELDS : TRIGGER_FIELDS;
  return Object.fromEntries(Object.entries(step).filter(([name]) => !Object.hasOwn(common, name)));
}

/** Returns the names of the parameters of a kind, as far as its schema shows them. */
export function parameterNames({ parameters }: FaultKind | TriggerKind): string[] {
  return parameters instanceof z.ZodObject ? Object.keys(parameters.shape) : [];
}
