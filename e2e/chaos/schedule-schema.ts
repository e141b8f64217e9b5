import type { z } from "zod";
import { readDocument } from "#consumer/config/document.ts";
import { messageOf } from "#consumer/errors.ts";
import { UsageError } from "#e2e/errors.ts";
import type { Schedule } from "./schedule.ts";
import { ownParameters, parameterNames, REGISTERED_KINDS } from "./schedules/kinds.ts";
import type { Kinds } from "./schedules/kinds.ts";
import { ruleFaults } from "./schedules/rules.ts";
import type { ScheduleFault, ScheduleEnvironment } from "./schedules/rules.ts";
import { FAULT_FIELDS, SCHEDULE_SHAPE, TRIGGER_FIELDS } from "./schedules/shape.ts";
import type { FaultKind } from "./fault-kind.ts";
import type { TriggerKind } from "./trigger-kind.ts";
import { isJsonObject } from "#consumer/json.ts";

/** The length at which a longer value is cut in messages. */
const SHOWN_LENGTH_MAX = 80;

/**
 * Parses the JSON text of a schedule. Throws UsageError with everything that is wrong, each with
 * line, path, rule and value: unknown names and fields, wrong values, triggers that can never come,
 * and what the target and broker cannot do. `file` is used only in messages.
 */
export function parseSchedule(
  text: string,
  file: string,
  environment: ScheduleEnvironment,
  kinds: Kinds = REGISTERED_KINDS,
): Schedule {
  const { value, lineOf } = readJson(text, file);
  const checked = checkSchedule(value, environment, kinds);
  if ("schedule" in checked) return checked.schedule;
  throw faulty(
    file,
    checked.faults.map(({ path, message }) => {
      const found = valueAt(value, path);
      const got = found === undefined ? "" : `, got ${shown(found)}`;
      return `${lineOf(path)}, ${pathText(path)} ${message}${got}`;
    }),
  );
}

/**
 * Checks a value that is no text in the same way, such as a candidate of the search for a smaller
 * schedule.
 */
export function checkSchedule(
  value: unknown,
  environment: ScheduleEnvironment,
  kinds: Kinds = REGISTERED_KINDS,
): { readonly schedule: Schedule } | { readonly faults: readonly ScheduleFault[] } {
  const shape = SCHEDULE_SHAPE.safeParse(value);
  const faults = shape.success ? [] : issueFaults(shape.error.issues, [], value);
  // Kinds and their parameters are checked whatever else is wrong, so that one message shows
  // everything.
  faults.push(...stepsOf(value).flatMap((step, index) => kindFaults(step, index, kinds)));
  if (!shape.success) return { faults };
  const { $schema: _, ...data } = shape.data;
  faults.push(...ruleFaults(data, environment, kinds));
  return faults.length > 0 ? { faults } : { schedule: data };
}

/** Checks the kinds that a step names, and their parameters. */
function kindFaults(step: unknown, index: number, kinds: Kinds): ScheduleFault[] {
  const at = (...path: readonly string[]): readonly PropertyKey[] => ["steps", index, ...path];
  const when = valueAt(step, ["when"]);
  const wanted = valueAt(step, ["do"]);
  const trigger = valueAt(when, ["trigger"]);
  const fault = valueAt(wanted, ["fault"]);
  return [
    ...(typeof trigger === "string" && isJsonObject(when)
      ? kindFault(kinds.triggers, trigger, ownParameters({ ...when, trigger }), {
          path: at("when"),
          field: "trigger",
          common: Object.keys(TRIGGER_FIELDS),
        })
      : []),
    ...(typeof fault === "string" && isJsonObject(wanted)
      ? kindFault(kinds.faults, fault, ownParameters({ ...wanted, fault }), {
          path: at("do"),
          field: "fault",
          common: Object.keys(FAULT_FIELDS),
        })
      : []),
  ];
}

function kindFault(
  kinds: readonly (FaultKind | TriggerKind)[],
  name: string,
  parameters: object,
  place: {
    readonly path: readonly PropertyKey[];
    readonly field: string;
    readonly common: readonly string[];
  },
): ScheduleFault[] {
  const kind = kinds.find((one) => one.name === name);
  if (kind === undefined) {
    const known = kinds.map((one) => one.name).join(", ");
    return [{ path: [...place.path, place.field], message: `is unknown (known: ${known})` }];
  }
  const result = kind.parameters.safeParse(parameters);
  if (result.success) return [];
  const known = [...place.common, ...parameterNames(kind)];
  return issueFaults(result.error.issues, place.path, parameters, known);
}

/**
 * Returns the faults of zod issues. `known` lists the fields that are allowed where an unknown one
 * was found.
 */
function issueFaults(
  issues: readonly z.core.$ZodIssue[],
  prefix: readonly PropertyKey[],
  value: unknown,
  known: readonly string[] = [],
): ScheduleFault[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      const hint = known.length === 0 ? "" : ` (known: ${known.join(", ")})`;
      return issue.keys.map((key) => ({ path: [...path, key], message: `is unknown${hint}` }));
    }
    if (valueAt(value, issue.path) === undefined) return [{ path, message: "is missing" }];
    return [{ path, message: ruleOf(issue) }];
  });
}

/** Turns `Too big: expected number to be <=3` into `must be <=3`, since the value follows. */
function ruleOf({ message }: z.core.$ZodIssue): string {
  const expected = /expected (.+?)(?:, received .+)?$/.exec(message)?.[1];
  if (expected === undefined) return message;
  return `must be ${expected.replace(/^\w+ to (?:be|have) /, "")}`;
}

function readJson(
  given: string,
  file: string,
): { readonly value: unknown; lineOf: (path: readonly PropertyKey[]) => string } {
  // Some editors begin a file with an invisible byte order mark.
  const text = given.replace(/^\uFEFF/, "");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${messageOf(error)}`, { cause: error });
  }
  // JSON is also YAML, whose parser knows the lines and finds duplicate keys.
  const read = readDocument(text);
  if ("faults" in read) throw faulty(file, read.faults);
  return { value, lineOf: (path) => read.document.lineOf(path) };
}

function faulty(file: string, faults: readonly string[]): UsageError {
  const count = faults.length === 1 ? "one fault" : `${faults.length} faults`;
  return new UsageError(
    `${file} has ${count}:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`,
  );
}

function stepsOf(value: unknown): readonly unknown[] {
  const steps = valueAt(value, ["steps"]);
  return Array.isArray(steps) ? steps : [];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, part)) {
      return undefined;
    }
    found = Reflect.get(found, part);
  }
  return found;
}

/** Turns `["steps", 2, "do"]` into `steps[2].do`. */
function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`));
  return text.join("").replace(/^\./, "") || "the schedule";
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}...` : text;
}
