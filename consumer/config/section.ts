import { z } from "zod";

/** A mapping with a closed set of keys: an unknown one is refused, with the nearest known one. */
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
 * A mapping whose keys are chosen freely. `__proto__` is refused: a record of zod leaves it out without a word, and a rule
 * that lost a condition would match more than it says.
 */
export function mapping<Key extends z.core.$ZodRecordKey, Value extends z.core.SomeType>(
  key: Key,
  value: Value,
) {
  const named = z.unknown().superRefine((given, context) => {
    if (typeof given === "object" && given !== null && Object.hasOwn(given, "__proto__")) {
      const message = "is no name that can be used here";
      context.addIssue({ code: "custom", path: ["__proto__"], message });
    }
  });
  return named.pipe(z.record(key, value));
}

/** A whole number of milliseconds. `limits` are part of the description that people read. */
export function milliseconds(minimum: number, maximum: number, description: string) {
  return integer(minimum, maximum, `${description} Milliseconds`);
}

/** A whole number between `minimum` and `maximum`. */
export function integer(minimum: number, maximum: number, description: string) {
  return z
    .int()
    .min(minimum)
    .max(maximum)
    .describe(`${description}, ${String(minimum)} to ${String(maximum)}.`);
}

/** Text without line breaks or other control characters. */
export function text(lengthMax: number, description: string) {
  return z
    .string()
    .min(1)
    .max(lengthMax)
    .regex(/^\P{Cc}*$/u, "must not hold control characters")
    .describe(description);
}

function unknownKeyMessage(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  const hint =
    nearest === undefined ? `known are ${known.join(", ")}` : `did you mean "${nearest}"?`;
  return `unknown key "${key}" (${hint})`;
}

/** The known name that a typing error could have meant, or undefined when none is near. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    const distance =
      other.startsWith(wanted) || wanted.startsWith(other) ? 1 : editDistance(wanted, other);
    if (best === undefined || distance < best.distance) {
      best = { candidate, distance };
    }
  }
  return best !== undefined && best.distance <= Math.max(2, Math.floor(name.length / 3))
    ? best.candidate
    : undefined;
}

/** Levenshtein distance by two rows. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const substitution =
        (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      const gap = Math.min(previous[column] ?? 0, current[column - 1] ?? 0) + 1;
      current.push(Math.min(substitution, gap));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}
