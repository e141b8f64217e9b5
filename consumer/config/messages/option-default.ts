import { z } from "zod";

interface Schema {
  readonly description?: string;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
}

/**
 * Returns the default of the option at a path, as the description of its schema names it. Returns undefined for an
 * option that has none. `value` is the whole document, which says of which type the action of a rule is.
 */
export function defaultOf(
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
  value: unknown,
): string | undefined {
  let found: Schema | undefined = jsonSchemaOf(schema);
  let given = value;
  for (const part of path) {
    given = typeof given === "object" && given !== null ? Reflect.get(given, part) : undefined;
    found = typeof part === "number" ? found?.items : found?.properties?.[String(part)];
    found = found?.oneOf?.find(({ properties = {} }) => hasTypeOf(given, properties)) ?? found;
  }
  const said = /\bDefault (\S.*?)\.(?: |$)/.exec(found?.description ?? "")?.[1];
  return said === "none" ? undefined : said;
}

const known = new WeakMap<z.core.$ZodType, Schema>();

/** References are left as they are: they are those of conditions, which nest in themselves and have no defaults. */
function jsonSchemaOf(schema: z.core.$ZodType): Schema {
  const found = known.get(schema);
  if (found) return found;
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const made: Schema = JSON.parse(JSON.stringify(json));
  known.set(schema, made);
  return made;
}

function hasTypeOf(given: unknown, { type }: Readonly<Record<string, Schema>>): boolean {
  return (
    typeof given === "object" && given !== null && "type" in given && given.type === type?.const
  );
}
