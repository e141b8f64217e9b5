import type { PlannedAction } from "./execute.ts";
import { type Incident, type Rejection, rejection } from "./incident.ts";
import { actionKey } from "./key.ts";
import type { RunLimits } from "./limits.ts";
import type { Action, HttpAction } from "./ports.ts";
import { type Match, matches } from "./rules.ts";
import { render, type TemplatePlace } from "./template.ts";

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
interface RejectedAction {
  readonly key: string;
  readonly rule: string;
  readonly action: string;
  readonly rejection: Rejection;
}

export interface Plan {
  /** False when no rule applies: nothing to do. */
  readonly matched: boolean;
  /** In the order of the rules, and of the actions within a rule. */
  readonly actions: readonly PlannedAction[];
  readonly rejected: readonly RejectedAction[];
}

/**
 * The actions of an incident under a set of rules, every template filled. Pure: the same incident and rules
 * give the same plan, key by key, on every pod and after every restart.
 *
 * An action whose template names a field that the incident lacks, or whose value would break out of its
 * place (a path segment "..", a line break in a header, a NUL in an argument), is rejected for itself;
 * the other actions stay planned.
 */
export function plan(incident: Incident, rules: readonly Rule[], settings: PlanSettings): Plan {
  const actions: PlannedAction[] = [];
  const rejected: RejectedAction[] = [];
  let matched = false;
  for (const rule of rules) {
    if (!matches(rule.match, incident)) continue;
    matched = true;
    for (const action of rule.actions) {
      const dryRun = settings.mode === "dry-run";
      const key = actionKey(
        {
          rule: rule.name,
          action: action.name,
          incidentId: incident.id,
          transition: incident.status,
          startedOnMs: incident.startedOnMs,
        },
        dryRun,
      );
      try {
        actions.push({
          key,
          rule: rule.name,
          action: action.name,
          spec: filled(action, incident, key),
          incident: {
            id: incident.id,
            transition: incident.status,
            startedOnMs: incident.startedOnMs,
          },
          deadlineMs: action.deadlineMs ?? settings.actionDeadlineMs,
          idempotent: action.idempotent,
          attemptsMax: action.attemptsMax,
          dryRun,
          ...(settings.mode === "manual" ? { manual: true } : {}),
          ...(rule.limits === undefined ? {} : { limits: rule.limits }),
        });
      } catch (error) {
        if (!(error instanceof Unfillable)) throw error;
        const place = `rule ${rule.name}, action ${action.name}, ${error.place}`;
        rejected.push({
          key,
          rule: rule.name,
          action: action.name,
          rejection: rejection("rejected", place, error.rule, error.value),
        });
      }
    }
  }
  return { matched, actions, rejected };
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

function filled(action: RuleAction, incident: Incident, key: string): Action {
  const fill = (template: string, name: string, place: TemplatePlace): string => {
    const rendered = render(template, { incident, key }, place);
    if ("missing" in rendered) throw new Unfillable(name, "missing", `{{${rendered.missing}}}`);
    return rendered.text;
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
