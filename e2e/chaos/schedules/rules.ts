import type { Ability } from "#e2e/base/abilities.ts";
import { reasonToSkip } from "#e2e/base/abilities.ts";
import type { Activity, PodSelector } from "#e2e/chaos/activities.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { loadFaults } from "#e2e/chaos/load-plan.ts";
import type { LoadPlan, Schedule, ScheduleStep } from "#e2e/chaos/schedule.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import { ownParameters } from "./kinds.ts";
import type { Kinds } from "./kinds.ts";

/** The environment that a schedule runs in. */
export interface ScheduleEnvironment {
  /** The abilities of the target and the broker. */
  readonly abilities: ReadonlySet<Ability>;
  /** A text for messages, such as `the target local with the broker embedded`. */
  readonly description: string;
}

export interface ScheduleFault {
  readonly path: readonly PropertyKey[];
  /** The rule, without the value. */
  readonly message: string;
}

/** Returns the activities that a load causes by itself. */
export function activitiesOfLoad(load: LoadPlan): Set<Activity> {
  const found = new Set<Activity>();
  if (load.repeatShare + load.reopenShare + load.poisonShare < 1) found.add("actions");
  // A share of few records may be none.
  if (load.poisonShare * load.recordsMax >= 1) found.add("dead-letters");
  return found;
}

/**
 * Checks what no schema can say: what one part of a schedule demands of another, and of the target
 * and broker.
 */
export function ruleFaults(
  schedule: Schedule,
  environment: ScheduleEnvironment,
  kinds: Kinds,
): ScheduleFault[] {
  const faults: ScheduleFault[] = loadFaults({ ...schedule.load }).map(({ field, message }) => ({
    path: field === "" ? ["load"] : ["load", field],
    message,
  }));
  const found = activitiesOfLoad(schedule.load);
  for (const [index, step] of schedule.steps.entries()) {
    const trigger = kinds.triggers.find(({ name }) => name === step.when.trigger);
    const fault = kinds.faults.find(({ name }) => name === step.do.fault);
    const ofStep = [
      ...(trigger === undefined ? [] : triggerFaults(step, trigger, found, environment, kinds)),
      ...(fault === undefined ? [] : faultFaults(step, fault, environment, schedule)),
      ...selectorFaults(["when", "pod"], step.when.pod, schedule.replicas),
      ...selectorFaults(["do", "pod"], step.do.pod, schedule.replicas),
    ];
    faults.push(
      ...ofStep.map(({ path, message }) => ({ path: ["steps", index, ...path], message })),
    );
    for (const activity of fault?.causes ?? []) found.add(activity);
  }
  return faults;
}

function triggerFaults(
  { when }: ScheduleStep,
  trigger: TriggerKind,
  found: ReadonlySet<Activity>,
  environment: ScheduleEnvironment,
  kinds: Kinds,
): ScheduleFault[] {
  const path = ["when", "trigger"];
  const lacking = reasonToSkip(trigger.needs, environment.abilities, environment.description);
  const parameters = trigger.parameters.safeParse(ownParameters(when));
  const ofParameters = parameters.success ? trigger.requiresFor?.(parameters.data) : undefined;
  const needed = new Set([...trigger.requires, ...(ofParameters ?? [])]);
  const missing = [...needed].filter((activity) => !found.has(activity));
  return [
    ...(lacking === undefined ? [] : [{ path, message: `cannot come: ${lacking}` }]),
    ...missing.map((activity) => ({
      path,
      message:
        `cannot come: it requires ${activity}, which neither the load nor an earlier step causes` +
        causesOf(activity, kinds),
    })),
  ];
}

function causesOf(activity: Activity, { faults }: Kinds): string {
  const names = faults.filter(({ causes }) => causes.includes(activity)).map(({ name }) => name);
  return names.length === 0 ? "" : ` (faults that do: ${names.join(", ")})`;
}

function faultFaults(
  step: ScheduleStep,
  fault: FaultKind,
  environment: ScheduleEnvironment,
  schedule: Schedule,
): ScheduleFault[] {
  const faults: ScheduleFault[] = [];
  const parameters = fault.parameters.safeParse(ownParameters(step.do));
  const conflict = parameters.success ? fault.conflict?.(parameters.data, schedule) : undefined;
  if (conflict !== undefined) {
    faults.push({ path: ["do", conflict.parameter], message: conflict.message });
  }
  const lacking = reasonToSkip(fault.needs, environment.abilities, environment.description);
  if (lacking !== undefined) {
    faults.push({ path: ["do", "fault"], message: `cannot be injected: ${lacking}` });
  }
  if (fault.scope === "deployment" && step.do.pod !== undefined) {
    faults.push({
      path: ["do", "pod"],
      message: `must be absent: ${fault.name} is a fault of the whole deployment`,
    });
  }
  if (step.until !== undefined && !fault.lasting) {
    faults.push({
      path: ["until"],
      message: `must be absent: ${fault.name} does not last, it is over when it has been injected`,
    });
  }
  return faults;
}

function selectorFaults(
  path: readonly string[],
  selector: PodSelector | undefined,
  replicas: number,
): ScheduleFault[] {
  if (selector === "other" && replicas < 2) {
    return [{ path, message: `needs another pod, and replicas is ${replicas}` }];
  }
  if (typeof selector !== "object" || selector.nth <= replicas) return [];
  return [{ path: [...path, "nth"], message: `must be at most replicas, which is ${replicas}` }];
}
