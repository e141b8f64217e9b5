export type JsonFields = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One field of a JSON object; undefined when it is absent or the value is no object. */
export function jsonField(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined;
}
