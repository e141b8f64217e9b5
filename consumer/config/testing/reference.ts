import { z } from "zod";
import { ENVIRONMENT_OVERRIDES } from "#consumer/config/environment.ts";
import { configSchema } from "#consumer/config/schema.ts";

/** The part of a JSON Schema that the reference is written from. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly const?: string | number;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const LINE_LENGTH_MAX = 120;

const INTRODUCTION = `# Configuration

<!-- Generated from consumer/config: npx vitest run consumer/config/reference.test.ts -u -->

The consumer reads one YAML file, \`--config FILE\` (\`/app/config/config.yaml\` in a pod). It reads the file once,
when it starts, so a change is a rollout. A file with any fault is refused as a whole with exit code 78, and each fault
is named with its path, its line and its value. An unknown key is a fault. The relations between options are checked too
(\`consumer/config/relations.ts\`), and reported at the option that has to change.

[Rules](rules.md) explains the rules with examples. \`config/development-config.yaml\` and
\`config/production-config.yaml\` are the files that are deployed. No secret belongs in a configuration: it names
secrets of CKMS instead.

Names end with their unit. An option that is not marked as required may be left out.`;

const CONDITION =
  "A condition compares one field of the incident: `status`, `severity`, `environment`, " +
  "`title`, one tag or one extra " +
  "field. A list of texts is short for `in`. Otherwise it is a mapping of these operators, and every one must hold:";

/** Writes docs/configuration.md: every option of the configuration with its type, limits, default and meaning. */
export function configurationReference(): string {
  const given = schemaOf("input");
  const read = schemaOf("output");
  const { rules, ...sections } = withReferencesResolved(read).properties ?? {};
  const { version, ...others } = sections;
  const lines = [INTRODUCTION, "", "## The whole file", "", ...option("version", version, true, 0)];
  for (const name of Object.keys(others)) {
    lines.push(`- \`${name}\`${given.required?.includes(name) ? " (required)" : ""}: see below.`);
  }
  lines.push(...option("rules", { ...rules, items: {} }, true, 0));
  for (const [name, section] of Object.entries(others)) {
    lines.push("", `## \`${name}\``, "", ...options(section, given.properties?.[name], 0));
  }
  const rule = rules?.items;
  const givenRule = given.properties?.rules?.items;
  const { actions, ...ofRule } = rule?.properties ?? {};
  lines.push("", "## A rule", "", ...options({ properties: ofRule }, givenRule, 0));
  lines.push(...option("actions", { ...actions, items: {} }, true, 0));
  const operators = ofRule.match?.properties?.status?.anyOf?.find(({ type }) => type === "object");
  lines.push("", "## A condition", "", CONDITION, "", ...options(operators ?? {}, operators, 0));
  for (const [index, action] of (actions?.items?.oneOf ?? []).entries()) {
    const type = String(action.properties?.type?.const);
    const givenAction = givenRule?.properties?.actions?.items?.oneOf?.[index];
    lines.push("", `## An action of type \`${type}\``, "", ...options(action, givenAction, 0));
  }
  lines.push("", "## Variables", "", ...variables(), "");
  return lines.flatMap((line) => wrapped(line)).join("\n");
}

/** The input schema knows which options are required; the output schema knows the shape of mappings with free keys. */
function schemaOf(io: "input" | "output"): Schema {
  return JSON.parse(JSON.stringify(z.toJSONSchema(configSchema, { io, unrepresentable: "any" })));
}

/** Puts the description of a referenced schema in the place of the reference; recursive schemas are not followed. */
function withReferencesResolved(root: Schema): Schema {
  const resolve = (schema: Schema): Schema => {
    const name = schema.$ref?.split("/").at(-1) ?? "";
    const described = { ...pick(root.$defs?.[name]), ...schema };
    return {
      ...described,
      ...(schema.properties && { properties: mapValues(schema.properties, resolve) }),
      ...(schema.items && { items: resolve(schema.items) }),
    };
  };
  return resolve(root);
}

function pick({ description, type }: Schema = {}): Schema {
  return { ...(description !== undefined && { description }), ...(type !== undefined && { type }) };
}

function mapValues(
  values: Readonly<Record<string, Schema>>,
  change: (schema: Schema) => Schema,
): Record<string, Schema> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}

function options(section: Schema, given: Schema | undefined, depth: number): string[] {
  return Object.entries(section.properties ?? {}).flatMap(([name, schema]) =>
    option(
      name,
      schema,
      given?.required?.includes(name) ?? false,
      depth,
      given?.properties?.[name],
    ),
  );
}

function option(
  name: string,
  schema: Schema = {},
  isRequired: boolean,
  depth: number,
  given?: Schema,
): string[] {
  const kind = [kindOf(schema), ...(isRequired ? ["required"] : [])].filter((word) => word !== "");
  const facts = kind.length === 0 ? "" : ` (${kind.join(", ")})`;
  const text = schema.description ?? (schema.properties === undefined ? "" : "a mapping of:");
  return [
    `${"  ".repeat(depth)}- \`${name}\`${facts}: ${text}`.trimEnd(),
    ...options(schema, given, depth + 1),
  ];
}

/** The type, as a reader of YAML calls it. Integers say their unit and limits in their description. */
function kindOf(schema: Schema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) {
    return `one of ${schema.enum.map((value) => `\`${value}\``).join(", ")}`;
  }
  if (schema.type === "array") return "list";
  if (schema.type === "boolean") return "`true` or `false`";
  const types = schema.anyOf?.map(({ type }) => type) ?? [];
  if (types.includes("string") && types.includes("array")) return "text or list";
  return "";
}

function variables(): string[] {
  return [
    "These variables stand above the file, so that one image and one file run in several places:",
    "",
    ...Object.entries(ENVIRONMENT_OVERRIDES).map(
      ([variable, path]) => `- \`${variable}\` sets \`${path.join(".")}\`.`,
    ),
    "",
    "`--log-level` stands above `LOG_LEVEL`. Variables that undo TLS or print secrets are refused with exit code 78:",
    "`NODE_TLS_REJECT_UNAUTHORIZED=0`, `NODE_DEBUG`, and options in `NODE_OPTIONS` such as " +
      "`--inspect` or `--tls-keylog`.",
  ];
}

/** Breaks a line at spaces; the lines that follow are indented like the text of their list item. */
function wrapped(line: string): string[] {
  if (line.includes("\n")) return line.split("\n");
  const indent = `${/^ */.exec(line)?.[0] ?? ""}${/^ *- /.test(line) ? "  " : ""}`;
  const lines: string[] = [];
  let rest = line;
  while (rest.length > LINE_LENGTH_MAX) {
    let end = rest.lastIndexOf(" ", LINE_LENGTH_MAX);
    // A line that begins with one of these would be an item of a list.
    while (/^ (?:[-+*] |\d+[.)])/.test(rest.slice(end))) end = rest.lastIndexOf(" ", end - 1);
    if (end <= indent.length) break;
    lines.push(rest.slice(0, end));
    rest = indent + rest.slice(end + 1);
  }
  return [...lines, rest];
}
