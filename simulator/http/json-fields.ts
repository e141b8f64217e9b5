import { isJsonObject } from "#consumer/json.ts";

/** One field of a JSON object; undefined when it is absent or the value is no object. */
export function jsonField(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined;
}
