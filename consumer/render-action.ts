import { bodyEscapes } from "./body-template.ts";
import { commandShape } from "./command-template.ts";
import type { RejectionRule } from "./incident.ts";
import type { Action } from "./ports.ts";
import type { CommandRuleAction, HttpRuleAction, RuleAction } from "./rules.ts";
import {
  type Escape,
  fill,
  type Filled,
  parseTemplate,
  type Template,
  type TemplateValues,
} from "./template.ts";
import { headerEscapes, textEscapes } from "./text-template.ts";
import { urlTemplate } from "./url-template.ts";

/** Thrown for a place of an action that an incident cannot fill. */
export class Unfillable extends Error {
  readonly place: string;
  readonly rule: RejectionRule;
  readonly value: string;
  constructor(place: string, rule: RejectionRule, value: string) {
    super(`${place}: ${rule}`);
    this.place = place;
    this.rule = rule;
    this.value = value;
  }
}

/**
 * Fills the templates of an action, each value escaped for its place. Throws `Unfillable` where the incident has no value,
 * or one that would break out of its place.
 */
export function renderAction(action: RuleAction, values: TemplateValues): Action {
  return action.type === "http" ? renderHttp(action, values) : renderCommand(action, values);
}

function renderHttp(action: HttpRuleAction, values: TemplateValues): Action {
  const { method, headers, notAppliedStatuses, useIdentity, keepResponse } = action;
  return {
    type: "http",
    method,
    url: textOf(urlTemplate(parseTemplate(action.url)).fill(values), "url"),
    headers: mapValues(headers, (value, name) => {
      const template = parseTemplate(value);
      const place = `header ${name}`;
      return safeHeader(filledText(template, values, headerEscapes(template), place), place);
    }),
    body:
      action.body === null || action.body === undefined
        ? null
        : renderBody(action.body, headers, values),
    notAppliedStatuses,
    useIdentity,
    ...(keepResponse === undefined ? {} : { keepResponse }),
  };
}

function renderBody(
  body: string,
  headers: HttpRuleAction["headers"],
  values: TemplateValues,
): string {
  const template = parseTemplate(body);
  return filledText(template, values, bodyEscapes(template, headers), "body");
}

function renderCommand(action: CommandRuleAction, values: TemplateValues): Action {
  const { separator } = commandShape(action.command);
  const [executable, ...args] = action.command.map((part, index) => {
    const place = `command[${index}]`;
    const text = renderArgument(part, values, place);
    // The incident would choose an option of the command.
    const isOption = text.startsWith("-") && !part.startsWith("-") && index < separator;
    if (isOption) throw new Unfillable(place, "unsafe-in-command", text);
    return text;
  });
  if (executable === undefined || executable === "") {
    throw new Unfillable("command[0]", "empty", "");
  }
  const { keepResponse } = action;
  return {
    type: "command",
    command: [executable, ...args],
    ...(keepResponse === undefined ? {} : { keepResponse }),
    environment: mapValues(action.environment ?? {}, (value, name) =>
      renderArgument(value, values, `environment ${name}`),
    ),
  };
}

/** execve(2) ends a string at its first NUL. */
function renderArgument(part: string, values: TemplateValues, place: string): string {
  const template = parseTemplate(part);
  const text = filledText(template, values, textEscapes(template), place);
  if (text.includes("\0")) throw new Unfillable(place, "unsafe-in-command", text);
  return text;
}

function filledText(
  template: Template,
  values: TemplateValues,
  escapes: readonly Escape[],
  place: string,
): string {
  const escape = (value: string, _placeholder: unknown, index: number): string =>
    escapes[index]?.(value) ?? "";
  return textOf(fill(template, values, escape), place);
}

function textOf(filled: Filled, place: string): string {
  if ("text" in filled) return filled.text;
  throw new Unfillable(place, filled.rule, filled.value);
}

/** RFC 9110: visible characters, space and tab. Beyond Latin-1 a header has no defined meaning. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function safeHeader(value: string, place: string): string {
  if (!HEADER_VALUE.test(value)) throw new Unfillable(place, "unsafe-in-header", value);
  return value;
}

function mapValues(
  values: Readonly<Record<string, string>>,
  change: (value: string, name: string) => string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, change(value, name)]),
  );
}
