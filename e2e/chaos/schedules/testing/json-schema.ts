import { z } from "zod";
import type { Kinds } from "#e2e/chaos/schedules/kinds.ts";
import {
  FAULT_FIELDS,
  SCHEDULE_WITHOUT_STEPS,
  TRIGGER_FIELDS,
  UNTIL,
} from "#e2e/chaos/schedules/shape.ts";

export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly (string | number | boolean)[];
  readonly const?: string | number | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

/**
 * Returns the JSON Schema of a schedule, with which editors complete names and show what each kind
 * does. `parseSchedule` refuses more than it can express, such as moments that can never come.
 */
export function scheduleJsonSchema({ faults, triggers }: Kinds): JsonSchema {
  const { $schema, properties, ...schedule } = jsonSchemaOf(SCHEDULE_WITHOUT_STEPS);
  const when = triggers.map((kind) => kindSchema(kind, "trigger", TRIGGER_FIELDS));
  const { pod: _, ...withoutPod } = FAULT_FIELDS;
  const doing = faults.map((kind) =>
    kindSchema(kind, "fault", kind.scope === "pod" ? FAULT_FIELDS : withoutPod),
  );
  const step = {
    type: "object",
    properties: {
      when: { description: "The moment at which the fault is injected.", oneOf: when },
      do: { description: "The fault.", oneOf: doing },
      until: withoutDialect(UNTIL),
    },
    required: ["when", "do"],
    additionalProperties: false,
  };
  return {
    $schema,
    title: "A chaos schedule: what is done to which pods at which moments",
    ...schedule,
    properties: { ...properties, steps: { ...properties?.steps, items: step } },
  };
}

/** Returns the JSON Schema of what is written in a file, where a default may be left out. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  // The library's type has keywords that no schema here has; as JSON it is what is in the file.
  return JSON.parse(JSON.stringify(z.toJSONSchema(schema, { io: "input" })));
}

/** Removes `$schema`, which a part of another schema does not have. */
function withoutDialect(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = jsonSchemaOf(schema);
  return rest;
}

function kindSchema(
  kind: Kinds["faults"][number] | Kinds["triggers"][number],
  field: "fault" | "trigger",
  common: Readonly<Record<string, z.ZodType>>,
): JsonSchema {
  const fields = withoutDialect(z.strictObject(common));
  const named = {
    ...fields,
    properties: { ...fields.properties, [field]: { const: kind.name, description: kind.title } },
  };
  return { title: kind.name, ...merged(named, withoutDialect(kind.parameters)) };
}

/** Returns an object that has the properties of both. Parameters may be one of several objects. */
function merged(fields: JsonSchema, parameters: JsonSchema): JsonSchema {
  if (parameters.anyOf !== undefined) {
    return { anyOf: parameters.anyOf.map((one) => merged(fields, one)) };
  }
  return {
    ...fields,
    properties: { ...fields.properties, ...parameters.properties },
    required: [...(fields.required ?? []), ...(parameters.required ?? [])],
  };
}
