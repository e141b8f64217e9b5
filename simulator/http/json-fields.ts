import { isJsonObject } from "#consumer/json.ts";

/**
 * Returns one field of a JSON object, or undefined when the field is absent or the value is no
 * object.
 */
export function jsonField(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined;
}
