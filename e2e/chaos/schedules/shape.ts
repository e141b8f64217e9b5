import { z } from "zod";
import { LOAD_LIMITS } from "#e2e/chaos/load-plan.ts";
import type { LoadPlan } from "#e2e/chaos/schedule.ts";
import { PARTITIONS_MAX, REPLICAS_MAX, STEPS_MAX } from "#e2e/chaos/schedule-limits.ts";

const ROLES = ["owner", "other", "oldest", "newest"] as const;
const MS_MAX = 3_600_000;
const ORDINAL_MAX = 10_000;

const whole = (min: number, max: number, description: string) =>
  z.int().min(min).max(max).describe(description);

const nth = z
  .strictObject({ nth: whole(1, REPLICAS_MAX, "The n-th pod by age, from 1.") })
  .describe("A pod by its age.");

const selector = <const Name extends string>(names: readonly Name[], description: string) =>
  z
    .union([z.enum(names), nth], {
      error: `must be one of ${names.join(", ")}, or {"nth": N} with N from 1 to ${REPLICAS_MAX}`,
    })
    .describe(description);

/** The fields of every trigger beside the parameters of its kind. */
export const TRIGGER_FIELDS = {
  trigger: z.string().describe("The kind of moment at which the fault is injected."),
  pod: selector(
    ROLES,
    "The only pod in which the moment counts, chosen when the trigger is armed. Defaults to whichever pod comes first.",
  ).exactOptional(),
  ordinal: whole(
    1,
    ORDINAL_MAX,
    "The n-th time that the moment comes, from 1. Defaults to 1.",
  ).exactOptional(),
  budgetMs: whole(
    1,
    MS_MAX,
    "The longest time to wait for the moment, in milliseconds.",
  ).exactOptional(),
};

/** The fields of every fault beside the parameters of its kind. */
export const FAULT_FIELDS = {
  fault: z.string().describe("The kind of fault."),
  pod: selector(
    ["held", ...ROLES] as const,
    "The pod, for a fault of a pod. Defaults to held, or to owner when the held pod is unknown.",
  ).exactOptional(),
};

export const UNTIL = z
  .strictObject({
    elapsedMs: whole(1, MS_MAX, "The time after the injection, in milliseconds."),
  })
  .describe("How long a lasting fault stays. Defaults to the healing at the end.");

function loadNumber(field: keyof LoadPlan) {
  const { min, max, isWhole, title, ...limit } = LOAD_LIMITS[field];
  const number = (isWhole ? z.int() : z.number()).min(min).max(max);
  return number.default(limit.default).describe(title);
}

const load = z
  .strictObject({
    incidentsPerSecond: loadNumber("incidentsPerSecond"),
    recordsMax: loadNumber("recordsMax"),
    repeatShare: loadNumber("repeatShare"),
    reopenShare: loadNumber("reopenShare"),
    poisonShare: loadNumber("poisonShare"),
    idempotentShare: loadNumber("idempotentShare"),
  })
  .describe("The load that is published while the schedule runs. An absent field has its default.");

/** Returns the schema of a schedule. `step` is the schema of an item of its list of steps. */
function scheduleOf<Step extends z.ZodType>(step: Step) {
  return z.strictObject({
    $schema: z.string().exactOptional().describe("The JSON Schema, for editors."),
    version: z.literal(1).describe("The version of this format."),
    seed: whole(0, 2 ** 32 - 1, "The seed of the load and of each choice while the schedule runs."),
    replicas: whole(1, REPLICAS_MAX, "The number of pods from the start."),
    partitions: whole(1, PARTITIONS_MAX, "The number of partitions of the topic of incidents."),
    load,
    steps: z.array(step).max(STEPS_MAX).describe("The steps, which are played in this order."),
  });
}

/**
 * The fields of a step that are the same for every kind; the parameters of the kinds are still
 * unchecked.
 */
export const SCHEDULE_SHAPE = scheduleOf(
  z.strictObject({
    when: z.looseObject(TRIGGER_FIELDS),
    do: z.looseObject(FAULT_FIELDS),
    until: UNTIL.exactOptional(),
  }),
);

/** The schema for the JSON Schema, which describes steps itself. */
export const SCHEDULE_WITHOUT_STEPS = scheduleOf(z.unknown());
