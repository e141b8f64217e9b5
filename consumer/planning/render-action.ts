import { bodyEscapes } from "./templates/body-template.ts";
import { commandShape } from "./templates/command-template.ts";
import type { RejectionRule } from "./incident.ts";
import type { Action } from "#consumer/ports.ts";
import type { CommandRuleAction, HttpRuleAction, RuleAction } from "./rules.ts";
import { fill, parseTemplate } from "./templates/template.ts";
import type { Escape, Filled, Template, TemplateValues } from "./templates/template.ts";
import { headerEscapes, textEscapes } from "./templates/text-template.ts";
import { urlTemplate } from "./templates/url-template.ts";

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

type Fill<Result> = (values: TemplateValues) => Result;

/** Templates are read once for all incidents. */
const readBefore = new WeakMap<RuleAction, Fill<Action>>();

/**
 * Fills the templates of an action, each value escaped for its place. Throws `Unfillable` where the incident has no
 * value, or one that would break out of its place.
 */
export function renderAction(action: RuleAction, values: TemplateValues): Action {
  let fillAction = readBefore.get(action);
  if (!fillAction) {
    fillAction = action.type === "http" ? readHttp(action) : readCommand(action);
    readBefore.set(action, fillAction);
  }
  return fillAction(values);
}

function readHttp(action: HttpRuleAction): Fill<Action> {
  const { method, notAppliedStatuses, useIdentity } = action;
  const url = urlTemplate(parseTemplate(action.url));
  const headers = mapValues(action.headers, (value, name) => readHeader(value, `header ${name}`));
  const body = action.body ?? null;
  const fillBody = body === null ? () => null : readBody(body, action.headers);
  return (values) => ({
    type: "http",
    method,
    url: textOf(url.fill(values), "url"),
    headers: mapValues(headers, (fillHeader) => fillHeader(values)),
    body: fillBody(values),
    notAppliedStatuses,
    useIdentity,
  });
}

/** Matches what RFC 9110 allows: visible characters, space and tab. Beyond Latin-1 a header has no defined meaning. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function readHeader(value: string, place: string): Fill<string> {
  const template = parseTemplate(value);
  const fillText = filling(template, headerEscapes(template), place);
  return (values) => {
    const text = fillText(values);
    if (!HEADER_VALUE.test(text)) throw new Unfillable(place, "unsafe-in-header", text);
    return text;
  };
}

function readBody(body: string, headers: HttpRuleAction["headers"]): Fill<string> {
  const template = parseTemplate(body);
  return filling(template, bodyEscapes(template, headers), "body");
}

function readCommand({ command, environment = {} }: CommandRuleAction): Fill<Action> {
  const { separator } = commandShape(command);
  const parts = command.map((part, index) => readArgument(part, `command[${index}]`));
  const variables = mapValues(environment, (value, name) =>
    readArgument(value, `environment ${name}`),
  );
  return (values) => {
    const [executable, ...args] = parts.map((fillPart, index) => {
      const text = fillPart(values);
      // Such a value would choose an option of the command.
      const isOption = text.startsWith("-") && command[index]?.startsWith("-") === false;
      if (!isOption || index > separator) return text;
      throw new Unfillable(`command[${index}]`, "unsafe-in-command", text);
    });
    if (executable === undefined || executable === "") {
      throw new Unfillable("command[0]", "empty", "");
    }
    return {
      type: "command",
      command: [executable, ...args],
      environment: mapValues(variables, (fillVariable) => fillVariable(values)),
    };
  };
}

/** Reads an argument or a variable. A value with a NUL is refused, because execve(2) ends a string at its first one. */
function readArgument(part: string, place: string): Fill<string> {
  const template = parseTemplate(part);
  const fillText = filling(template, textEscapes(template), place);
  return (values) => {
    const text = fillText(values);
    if (text.includes("\0")) throw new Unfillable(place, "unsafe-in-command", text);
    return text;
  };
}

function filling(template: Template, escapes: readonly Escape[], place: string): Fill<string> {
  const escape = (value: string, _placeholder: unknown, index: number): string =>
    escapes[index]?.(value) ?? "";
  return (values) => textOf(fill(template, values, escape), place);
}

function textOf(filled: Filled, place: string): string {
  if ("text" in filled) return filled.text;
  throw new Unfillable(place, filled.rule, filled.value);
}

function mapValues<From, To>(
  values: Readonly<Record<string, From>>,
  change: (value: From, name: string) => To,
): Record<string, To> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, change(value, name)]),
  );
}
