import { reasonToSkip } from "#e2e/runner/abilities.ts";
import type { Circumstance } from "#e2e/chaos/circumstances.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import type { LoadPlan } from "#e2e/chaos/schedule.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { Kinds } from "./kinds.ts";
import { circumstancesOfLoad, type SchedulePlace } from "./rules.ts";

/** One fault at one moment. */
export interface Cell {
  readonly fault: FaultKind;
  readonly trigger: TriggerKind;
  /** Why it can never be there; undefined when it can. */
  readonly impossible: string | undefined;
}

/** Every fault at every trigger. */
export function cellsOf(kinds: Kinds, place: SchedulePlace, load: LoadPlan): Cell[] {
  const found = circumstancesOfLoad(load);
  const injectable = kinds.faults.filter((fault) => lacks(fault, place) === undefined);
  for (const circumstance of injectable.flatMap(({ causes }) => causes)) found.add(circumstance);
  return kinds.faults.flatMap((fault) =>
    kinds.triggers.map((trigger) => ({
      fault,
      trigger,
      impossible: lacks(fault, place) ?? lacks(trigger, place) ?? neverCaused(trigger, found),
    })),
  );
}

function lacks({ needs }: FaultKind | TriggerKind, place: SchedulePlace): string | undefined {
  return reasonToSkip(needs, place.abilities, place.where);
}

function neverCaused(
  { requires }: TriggerKind,
  found: ReadonlySet<Circumstance>,
): string | undefined {
  const missing = requires.find((circumstance) => !found.has(circumstance));
  return missing && `neither the load nor any of the faults brings about ${missing}`;
}
