import { parse } from "yaml";
import { z } from "zod";
import { nearestName } from "#consumer/config/messages/nearest-name.ts";
import { OmegaError } from "#simulator/omega/errors.ts";

/** Parses YAML and validates the whole of it. Throws OmegaError with every fault and its path. */
export function validateYaml<Schema extends z.ZodType>(
  place: string,
  schema: Schema,
  text: string,
): z.infer<Schema> {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new OmegaError(place, [`not YAML: ${String(error)}`], { cause: error });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new OmegaError(
    place,
    result.error.issues.flatMap((issue) => describeIssue(schema, issue, value)),
  );
}

function describeIssue(schema: z.ZodType, issue: z.core.$ZodIssue, document: unknown): string[] {
  if (issue.code !== "unrecognized_keys") {
    return [`${pathText(issue.path)}: ${issue.message}${rejected(document, issue.path)}`];
  }
  const known = knownKeysAt(schema, issue.path);
  return issue.keys.map((key) => {
    const nearest = nearestName(key, known);
    const hint = nearest === undefined ? `known: ${known.join(", ")}` : `did you mean ${nearest}?`;
    return `${pathText([...issue.path, key])}: unknown key (${hint})`;
  });
}

const VALUE_CHARACTERS_MAX = 80;

/** Returns "" where there is no value: then the message says so. */
function rejected(document: unknown, path: readonly PropertyKey[]): string {
  let value = document;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return "";
    value = Reflect.get(value, step);
  }
  if (value === undefined) return "";
  const text = JSON.stringify(value);
  return `, got ${text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}...` : text}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "(root)" : path.map(String).join(".");
}

function knownKeysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  let at: z.core.$ZodType = unwrapped(schema);
  for (const step of path) {
    if (at instanceof z.ZodArray) at = at.element;
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else if (at instanceof z.ZodObject) at = at.shape[String(step)];
    else return [];
    at = unwrapped(at);
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return unwrapped(schema.unwrap());
  }
  return schema;
}
