import { z } from "zod";

import { nearestName } from "./messages/nearest-name.ts";

/** Creates a mapping with a closed set of keys. The message for an unknown key names the nearest known one. */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => unknownKeyMessage(key, known)).join("; ")
        : undefined,
  });
}

/**
 * Creates a mapping whose keys are free. `__proto__` is refused, because a record of zod drops it silently and a rule
 * without one of its conditions would match more incidents.
 */
export function mapping<Key extends z.core.$ZodRecordKey, Value extends z.core.SomeType>(
  key: Key,
  value: Value,
) {
  const named = z.unknown().superRefine((given, context) => {
    if (typeof given === "object" && given !== null && Object.hasOwn(given, "__proto__")) {
      const message = "is not a name that can be used here";
      context.addIssue({ code: "custom", path: ["__proto__"], message });
    }
  });
  return named.pipe(z.record(key, value));
}

/** Creates a whole number of milliseconds. Its bounds become part of the description. */
export function milliseconds(minimum: number, maximum: number, description: string) {
  return integer(minimum, maximum, `${description} Milliseconds`);
}

const UNITS: Readonly<Record<string, string>> = {
  Milliseconds: "a whole number of milliseconds",
  Bytes: "a whole number of bytes",
  Port: "a port",
  "HTTP status": "an HTTP status",
};

/**
 * Creates a whole number between `minimum` and `maximum`. The description ends with its unit, such as "Bytes" or
 * "Count".
 */
export function integer(minimum: number, maximum: number, description: string) {
  const unit = UNITS[description.split(". ").at(-1) ?? ""] ?? "a whole number";
  const range = `${String(minimum)} to ${String(maximum)}`;
  const error = `must be ${unit}, ${range}`;
  return z
    .int({ error })
    .min(minimum, { error })
    .max(maximum, { error })
    .describe(`${description}, ${range}.`);
}

/** Creates a text of 1 to `lengthMax` characters without line breaks or other control characters. */
export function text(lengthMax: number, description: string) {
  return z
    .string()
    .min(1)
    .max(lengthMax)
    .regex(/^\P{Cc}*$/u, "must not hold control characters")
    .describe(description);
}

/** Creates the absolute path of a file or directory. */
export function path(description: string) {
  return text(1024, description).startsWith("/", "must be an absolute path");
}

function unknownKeyMessage(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  const hint =
    nearest === undefined ? `known are ${known.join(", ")}` : `did you mean "${nearest}"?`;
  return `unknown key "${key}" (${hint})`;
}
