import { z } from "zod";

import { messageOf } from "#consumer/errors.ts";
import type { Match } from "#consumer/planning/match/match.ts";
import { compileRegex } from "#consumer/planning/match/value-condition.ts";
import type { ValueOperators } from "#consumer/planning/match/value-condition.ts";
import { mapping, section, text } from "./section.ts";

/** The largest depth to which `all`, `any` and `not` may be nested. */
const DEPTH_MAX = 8;
const PATTERN_LENGTH_MAX = 512;

/** Skips a check for a value that already has a fault. */
const WHEN_SOUND = { when: ({ issues }: { issues: readonly unknown[] }) => issues.length === 0 };

const value = text(512, "A text that is compared as a whole.");
const pattern = z.string().min(1).max(PATTERN_LENGTH_MAX);
const regex = pattern.superRefine(checkRegex);

const oneOrMore = <Schema extends z.ZodType>(schema: Schema) =>
  z.union([schema, z.array(schema).min(1).max(100)]);

const OPERATORS = {
  in: z.array(value).min(1).describe("One value of the incident must be one of these.").optional(),
  notIn: z
    .array(value)
    .min(1)
    .describe("No value of the incident may be one of these. Holds for an absent field.")
    .optional(),
  glob: oneOrMore(pattern)
    .describe(
      "One value must match: * is any text, ? is any character, \\ makes the next one literal.",
    )
    .optional(),
  regex: oneOrMore(regex)
    .describe("One value must match as a whole: an RE2 expression, anchored at both ends.")
    .optional(),
  exists: z
    .boolean()
    .describe(
      "True when the incident must have a value for the field, false when it must have none.",
    )
    .optional(),
  ignoreCase: z
    .boolean()
    .describe("Compares without regard to case, for every operator here. Default false.")
    .optional(),
  // An operator that the schema alone knew would be accepted and never compared.
} satisfies Record<keyof ValueOperators, z.ZodType>;

const OPERATOR_NAMES = Object.keys(OPERATORS).join(", ");

const operators = section(OPERATORS).superRefine(checkOperators, WHEN_SOUND);

const condition = (field: string) =>
  z
    .union([z.array(text(512, `A ${field}.`)).min(1), operators], {
      error: `must be a list of values, or a mapping of ${OPERATOR_NAMES}`,
    })
    .describe(`The values of the incident's ${field} that match.`);

const FIELDS = {
  status: condition("status").optional(),
  severity: condition("severity").optional(),
  environment: condition("environment").optional(),
  title: condition("title").optional(),
  tags: mapping(text(200, "Tag name."), condition("tag"))
    .superRefine(checkNotEmpty)
    .optional()
    .describe("Conditions by the name of the tag; every one must hold."),
  extra: mapping(text(64, "A name of incident.paths.extra."), condition("extra field"))
    .superRefine(checkNotEmpty)
    .optional()
    .describe("Conditions by the name of the extra field; every one must hold."),
};

const nested: z.ZodType<Match> = z.lazy(() => nestedParts);
const nestedList = z.array(nested).min(1).max(100);

const PARTS = {
  ...FIELDS,
  all: nestedList.describe("Every one of these must hold. 1 to 100.").optional(),
  any: nestedList.describe("One of these must hold. 1 to 100.").optional(),
  not: nested.describe("This must not hold.").optional(),
} satisfies Record<keyof Match, z.ZodType>;

const matchParts = section(PARTS);

const nestedParts = matchParts.superRefine(checkNotEmpty, WHEN_SOUND);

/** The condition of a rule. Every part that is given must hold; an empty one matches every incident. */
export const matchSchema = matchParts
  .superRefine(checkDepth)
  .describe("Every field given must match; {} matches every incident.");

type Context = z.core.$RefinementCtx;

function checkNotEmpty(given: object, context: Context): void {
  if (Object.keys(given).length > 0) return;
  context.addIssue({ code: "custom", message: "must not be empty: {} matches every incident" });
}

function checkDepth(match: Match, context: Context): void {
  if (depthOf(match) <= DEPTH_MAX) return;
  const message = `must not nest all, any and not deeper than ${String(DEPTH_MAX)}`;
  context.addIssue({ code: "custom", message });
}

function depthOf({ all = [], any = [], not }: Match): number {
  const inner = [...all, ...any, ...(not === undefined ? [] : [not])];
  return inner.length === 0 ? 0 : 1 + Math.max(...inner.map(depthOf));
}

/**
 * Bounds the work for one value. Matching takes time in proportion to the size of the compiled expression and to the
 * length of the value, and a counted repetition makes a short expression large.
 */
const PROGRAM_SIZE_MAX = 1000;

function checkRegex(expression: string, context: Context): void {
  try {
    const size = compileRegex(expression).programSize();
    if (size <= PROGRAM_SIZE_MAX) return;
    const bound = `at most ${String(PROGRAM_SIZE_MAX)} instructions: repeat less`;
    const message = `compiles to ${String(size)} instructions, and may have ${bound}`;
    context.addIssue({ code: "custom", message });
  } catch (error) {
    const message = `is not an expression that RE2 supports (${messageOf(error)})`;
    context.addIssue({ code: "custom", message });
  }
}

function checkOperators(given: z.output<typeof operators>, context: Context): void {
  const { ignoreCase, exists, ...compared } = given;
  const refuse = (message: string, path: string[] = []): void => {
    context.addIssue({ code: "custom", message, path });
  };
  const count = Object.values(compared).filter((each) => each !== undefined).length;
  if (count === 0 && exists === undefined) {
    refuse(`must have one of ${OPERATOR_NAMES.replace(", ignoreCase", "")}`);
  }
  if (ignoreCase === true && count === 0) refuse("compares nothing here", ["ignoreCase"]);
  if (exists === false && count > 0) {
    refuse("must stand alone: an absent field has no value", ["exists"]);
  }
}
