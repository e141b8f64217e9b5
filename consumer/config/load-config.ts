import type { z } from "zod";

import { readDocument } from "./document.ts";
import { override } from "./environment.ts";
import { defaultOf } from "./messages/option-default.ts";
import { RELATIONS } from "./relations.ts";
import { configSchema } from "./schema.ts";
import { decodeText } from "./text.ts";
import { ConsumerError, messageOf } from "#consumer/errors.ts";
import { readSmallFile } from "#consumer/small-file.ts";

type Parsed = z.output<typeof configSchema>;
type ParsedRule = Parsed["rules"][number];

/** One action of a rule as it is in the file, with its deadline filled in. */
type ActionConfig = ParsedRule["actions"][number] & { readonly deadlineMs: number };

interface RuleConfig extends Omit<ParsedRule, "actions"> {
  readonly actions: readonly ActionConfig[];
}

/**
 * The whole configuration. Every option has a value, except those that a rule may leave out. The units, defaults and
 * limits of each option are in config/sections and config/rule-schema.ts.
 */
export interface Config extends Omit<Parsed, "rules" | "execution"> {
  readonly execution: Omit<Parsed["execution"], "orphanWaitMs"> & { readonly orphanWaitMs: number };
  readonly rules: readonly RuleConfig[];
}

export interface ConfigSources {
  /** The environment of the process. Defaults to none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The value of --log-level, which overrides LOG_LEVEL and the file. */
  readonly logLevel?: string;
}

/** The largest size of the file, which is what a ConfigMap can hold. */
const FILE_BYTES_MAX = 1_048_576;
const FAULTS_SHOWN_MAX = 100;

/** Reads and checks a configuration file. Throws "bad-configuration" with every fault. */
export async function loadConfig(file: string, sources: ConfigSources = {}): Promise<Config> {
  let bytes: Buffer;
  try {
    bytes = await readSmallFile(file, FILE_BYTES_MAX);
  } catch (cause) {
    throw new ConsumerError("bad-configuration", `${file} ${messageOf(cause)}`, { cause });
  }
  const decoded = decodeText(bytes);
  if ("fault" in decoded) throw badConfiguration(file, [decoded.fault]);
  return parseConfig(decoded.text, file, sources);
}

/** Checks the text of a configuration; `file` is only named in messages. Throws "bad-configuration". */
export function parseConfig(content: string, file: string, sources: ConfigSources = {}): Config {
  const read = readDocument(content);
  if ("faults" in read) throw badConfiguration(file, read.faults);
  const { document } = read;
  const { value, origins } = override(
    document.value,
    sources.environment ?? {},
    sources.logLevel === undefined ? {} : { logLevel: sources.logLevel },
  );
  const result = relatedSchema.safeParse(value, { reportInput: false });
  if (!result.success) {
    const where = (path: readonly PropertyKey[]) =>
      origins.get(path.join(".")) ?? document.lineOf(path);
    throw badConfiguration(
      file,
      result.error.issues
        .flatMap(fittingIssues)
        .map((issue) => describeIssue(issue, value, where(placeOf(issue)))),
    );
  }
  return fillIn(result.data);
}

const relatedSchema = RELATIONS.reduce(
  (schema, { path, needs, fault }) =>
    schema.superRefine(
      (config, context) => {
        const message = fault(config);
        if (message !== undefined) {
          context.addIssue({ code: "custom", path: [...path], message });
        }
      },
      {
        when: ({ issues }) =>
          !issues.some((issue) => {
            const at = (issue.path ?? []).join(".");
            return needs.some(
              (need) =>
                at === need || at.startsWith(`${need}.`) || need.startsWith(`${at}.`) || at === "",
            );
          }),
      },
    ),
  configSchema,
);

function fillIn(parsed: Parsed): Config {
  const { actionDeadlineMs, drainMs, outcomeBudgetMs, orphanWaitMs } = parsed.execution;
  const rules = parsed.rules.map((rule) => ({
    ...rule,
    actions: rule.actions.map((action) => ({
      ...action,
      deadlineMs: action.deadlineMs ?? actionDeadlineMs,
    })),
  }));
  const deadlines = rules.flatMap((rule) => rule.actions.map((action) => action.deadlineMs));
  return {
    ...parsed,
    rules,
    execution: {
      ...parsed.execution,
      orphanWaitMs:
        orphanWaitMs ?? Math.max(actionDeadlineMs, ...deadlines) + drainMs + outcomeBudgetMs,
    },
  };
}

function badConfiguration(file: string, faults: readonly string[]): ConsumerError {
  const many = faults.length === 1 ? "one fault" : `${String(faults.length)} faults`;
  const left = faults.length - FAULTS_SHOWN_MAX;
  const shown = faults.slice(0, FAULTS_SHOWN_MAX).map((fault) => `  - ${fault}`);
  if (left > 0) shown.push(`  and ${String(left)} more`);
  return new ConsumerError("bad-configuration", `${file} has ${many}:\n${shown.join("\n")}`);
}

/** Returns the faults of the alternative that has the type of the given value, or the fault itself where none has. */
function fittingIssues(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const fitting = issue.errors.find(
    (issues) => !issues.some(({ code, path }) => code === "invalid_type" && path.length === 0),
  );
  if (fitting === undefined) return [issue];
  return fitting.flatMap((inner) =>
    fittingIssues(Object.assign({}, inner, { path: [...issue.path, ...inner.path] })),
  );
}

/** Returns the path to point at: an unknown key has a line of its own, unlike its section. */
function placeOf(issue: z.core.$ZodIssue): PropertyKey[] {
  const [unknown] = issue.code === "unrecognized_keys" ? issue.keys : [];
  return unknown === undefined ? issue.path : [...issue.path, unknown];
}

function describeIssue(issue: z.core.$ZodIssue, value: unknown, where: string): string {
  const path = issue.path.reduce<string>(
    (text, part) =>
      typeof part === "number"
        ? `${text}[${String(part)}]`
        : text === ""
          ? String(part)
          : `${text}.${String(part)}`,
    "",
  );
  const got = valueAt(value, issue.path);
  const rule =
    got === undefined && issue.code === "invalid_type"
      ? "is required"
      : issue.message.replace(
          /^(Invalid input|Too (small|big)|Invalid string|Invalid option): /,
          "",
        );
  const shown =
    issue.code === "unrecognized_keys" || got === undefined ? "" : `; got ${show(issue.path, got)}`;
  const byDefault = hasDefaultInMessage(issue)
    ? defaultOf(configSchema, issue.path, value)
    : undefined;
  const or = byDefault === undefined ? "" : ` (default ${byDefault})`;
  return `${path === "" ? "the document" : path} (${where}): ${rule}${or}${shown}`;
}

/** Returns true for a value of the wrong type, range or form, and not for a relation or a key. */
function hasDefaultInMessage({ code }: z.core.$ZodIssue): boolean {
  return code !== "custom" && code !== "unrecognized_keys";
}

/** Shows a value in a message, except at a path that looks like the place of a secret. */
function show(path: readonly PropertyKey[], value: unknown): string {
  if (path.some((part) => /authorization|cookie|password$|token|api-?key/i.test(String(part)))) {
    return "a value that is not shown";
  }
  if (typeof value === "string") {
    const hidden = value.replace(/\/\/[^/@]*@/, "//***@");
    return JSON.stringify(hidden.length > 80 ? `${hidden.slice(0, 79)}…` : hidden);
  }
  if (Array.isArray(value)) {
    return `a list of ${String(value.length)}`;
  }
  return typeof value === "object" && value !== null ? "a mapping" : String(value);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== "object" || found === null) {
      return undefined;
    }
    found = Reflect.get(found, part);
  }
  return found;
}
