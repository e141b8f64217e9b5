import type { PlannedAction } from "./execute.ts";
import { type Incident, type Rejection, rejection } from "./incident.ts";
import { actionKey } from "./key.ts";
import type { RunLimits } from "./limits.ts";
import type { Action, HttpAction } from "./ports.ts";
import { type Match, matches } from "./rules.ts";
import { render, type TemplatePlace, type TemplateValues } from "./template.ts";

interface RuleActionBase {
  /** Unique within its rule. */
  readonly name: string;
  /** Milliseconds from the claim to the end of the send. Default: that of the plan's settings. */
  readonly deadlineMs?: number | undefined;
  readonly idempotent: boolean;
  readonly attemptsMax: number;
}

export interface HttpRuleAction extends RuleActionBase {
  readonly type: "http";
  readonly method: HttpAction["method"];
  /** Template. */
  readonly url: string;
  /** Values are templates. */
  readonly headers: Readonly<Record<string, string>>;
  /** Template. */
  readonly body?: string | null | undefined;
  readonly useIdentity: boolean;
  readonly notAppliedStatuses: readonly number[];
}

export interface CommandRuleAction extends RuleActionBase {
  readonly type: "command";
  /** Templates; the executable itself is one too, though it better has no placeholder. */
  readonly command: readonly string[];
  /** Values are templates. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

type RuleAction = HttpRuleAction | CommandRuleAction;

export interface Rule {
  readonly name: string;
  readonly match: Match;
  readonly limits?: RunLimits | undefined;
  readonly actions: readonly RuleAction[];
}

export interface PlanSettings {
  readonly mode: "live" | "dry-run" | "manual";
  /** Deadline of an action that names none. */
  readonly actionDeadlineMs: number;
}

/** An action that matched but cannot be made ready: its dead letter tells which one. */
export interface RejectedAction {
  readonly key: string;
  readonly rule: string;
  readonly action: string;
  readonly rejection: Rejection;
}

/**
 * The actions of an incident under a set of rules, in the order of the rules and of the actions within a rule; none
 * when no rule applies. Pure: the same incident and rules give the same actions, key by key, on every pod and after
 * every restart.
 */
export function match(
  incident: Incident,
  rules: readonly Rule[],
  settings: PlanSettings,
): MatchedAction[] {
  const matched: MatchedAction[] = [];
  for (const rule of rules) {
    if (!matches(rule.match, incident)) continue;
    for (const action of rule.actions) {
      matched.push(new MatchedAction(incident, rule, action, settings));
    }
  }
  return matched;
}

/**
 * An action of a rule that applies, under its key. Most of a replayed topic has ended before, which the key alone
 * tells: filling the templates is a step of its own.
 */
export class MatchedAction {
  readonly key: string;
  readonly #incident: Incident;
  readonly #rule: Rule;
  readonly #action: RuleAction;
  readonly #settings: PlanSettings;

  constructor(incident: Incident, rule: Rule, action: RuleAction, settings: PlanSettings) {
    this.#incident = incident;
    this.#rule = rule;
    this.#action = action;
    this.#settings = settings;
    const { id: incidentId, status: transition, startedOnMs } = incident;
    const fields = { rule: rule.name, action: action.name, incidentId, transition, startedOnMs };
    this.key = actionKey(fields, settings.mode === "dry-run");
  }

  get rule(): string {
    return this.#rule.name;
  }

  get action(): string {
    return this.#action.name;
  }

  get incident(): PlannedAction["incident"] {
    const { id, status: transition, startedOnMs } = this.#incident;
    return { id, transition, startedOnMs };
  }

  /**
   * Fills the templates. Rejected for itself: an action whose template names a field that the incident lacks or has
   * several values of, or whose value would break out of its place (a path segment "..", a line break in a header, a
   * NUL in an argument).
   */
  plan(): PlannedAction | RejectedAction {
    const { key, rule, action } = this;
    const { mode, actionDeadlineMs } = this.#settings;
    const { limits } = this.#rule;
    const { deadlineMs = actionDeadlineMs, idempotent, attemptsMax } = this.#action;
    try {
      return {
        key,
        rule,
        action,
        spec: filled(this.#action, { incident: this.#incident, key, conditions: this.#rule.match }),
        incident: this.incident,
        deadlineMs,
        idempotent,
        attemptsMax,
        dryRun: mode === "dry-run",
        ...(mode === "manual" ? { manual: true } : {}),
        ...(limits === undefined ? {} : { limits }),
      };
    } catch (error) {
      if (!(error instanceof Unfillable)) throw error;
      const place = `rule ${rule}, action ${action}, ${error.place}`;
      return {
        key,
        rule,
        action,
        rejection: rejection("rejected", place, error.rule, error.value),
      };
    }
  }
}

/** Shortcut out of filling one action; never leaves this file. */
class Unfillable extends Error {
  readonly place: string;
  readonly rule: Rejection["rule"];
  readonly value: string;
  constructor(place: string, rule: Rejection["rule"], value: string) {
    super(`${place}: ${rule}`);
    this.place = place;
    this.rule = rule;
    this.value = value;
  }
}

function filled(action: RuleAction, values: TemplateValues): Action {
  const fill = (template: string, name: string, place: TemplatePlace): string => {
    const rendered = render(template, values, place);
    if ("text" in rendered) return rendered.text;
    throw new Unfillable(name, rendered.rule, `{{${rendered.unfilled}}}`);
  };
  if (action.type === "http") {
    return {
      type: "http",
      method: action.method,
      url: safeUrl(fill(action.url, "url", "url")),
      headers: mapValues(action.headers, (value, name) =>
        safeHeader(fill(value, `header ${name}`, "header"), name),
      ),
      body:
        action.body === null || action.body === undefined
          ? null
          : fill(action.body, "body", "body"),
      notAppliedStatuses: action.notAppliedStatuses,
      useIdentity: action.useIdentity,
    };
  }
  const [executable, ...args] = action.command.map((part, index) =>
    safeArgument(fill(part, `command[${index}]`, "argument"), `command[${index}]`),
  );
  if (executable === undefined || executable === "") {
    throw new Unfillable("command[0]", "empty", "");
  }
  return {
    type: "command",
    command: [executable, ...args],
    environment: mapValues(action.environment ?? {}, (value, name) =>
      safeArgument(fill(value, `environment ${name}`, "argument"), `environment ${name}`),
    ),
  };
}

/** A URL parser drops dot segments, encoded ones too: a value ".." would call another path. */
const DOT_SEGMENT = /^(\.|%2e){1,2}$/i;

function safeUrl(url: string): string {
  const path = url.replace(/[?#].*$/s, "").split("/");
  if (!URL.canParse(url) || path.some((segment) => DOT_SEGMENT.test(segment))) {
    throw new Unfillable("url", "unsafe-in-url", url);
  }
  return url;
}

/** RFC 9110: visible characters, space and tab. Beyond Latin-1 a header has no defined meaning. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function safeHeader(value: string, name: string): string {
  if (!HEADER_VALUE.test(value)) throw new Unfillable(`header ${name}`, "unsafe-in-header", value);
  return value;
}

/** execve(2) ends a string at its first NUL. */
function safeArgument(value: string, place: string): string {
  if (value.includes("\0")) throw new Unfillable(place, "unsafe-in-command", value);
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
