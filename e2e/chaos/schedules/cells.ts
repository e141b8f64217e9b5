import { reasonToSkip } from "#e2e/base/abilities.ts";
import type { Activity } from "#e2e/chaos/activities.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import type { LoadPlan } from "#e2e/chaos/schedule.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { Kinds } from "./kinds.ts";
import { activitiesOfLoad } from "./rules.ts";
import type { ScheduleEnvironment } from "./rules.ts";

/** One fault at one moment. */
export interface Cell {
  readonly fault: FaultKind;
  readonly trigger: TriggerKind;
  /** The reason why the pair is impossible, or undefined when it is possible. */
  readonly impossible: string | undefined;
}

/** Returns every fault at every trigger. */
export function cellsOf(kinds: Kinds, environment: ScheduleEnvironment, load: LoadPlan): Cell[] {
  const found = activitiesOfLoad(load);
  const injectable = kinds.faults.filter((fault) => lacks(fault, environment) === undefined);
  for (const activity of injectable.flatMap(({ causes }) => causes)) found.add(activity);
  return kinds.faults.flatMap((fault) =>
    kinds.triggers.map((trigger) => ({
      fault,
      trigger,
      impossible:
        lacks(fault, environment) ?? lacks(trigger, environment) ?? neverCaused(trigger, found),
    })),
  );
}

function lacks(
  { needs }: FaultKind | TriggerKind,
  environment: ScheduleEnvironment,
): string | undefined {
  return reasonToSkip(needs, environment.abilities, environment.description);
}

function neverCaused({ requires }: TriggerKind, found: ReadonlySet<Activity>): string | undefined {
  const missing = requires.find((activity) => !found.has(activity));
  return missing && `neither the load nor any of the faults causes ${missing}`;
}
