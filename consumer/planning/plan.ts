import type { PlannedAction, RejectedAction } from "#consumer/action/execute.ts";
import { type Incident, rejection } from "./incident.ts";
import { actionKey } from "./key.ts";
import type { RunLimits } from "#consumer/action/limits.ts";
import { renderAction, Unfillable } from "./render-action.ts";
import { type Match, matches, type RuleAction } from "./rules.ts";

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
    const common = {
      key,
      rule,
      action,
      incident: this.incident,
      deadlineMs,
      idempotent,
      attemptsMax,
      dryRun: mode === "dry-run",
      ...(mode === "manual" ? { manual: true } : {}),
      ...(limits === undefined ? {} : { limits }),
    };
    try {
      return {
        ...common,
        spec: renderAction(this.#action, {
          incident: this.#incident,
          key,
          conditions: this.#rule.match,
        }),
      };
    } catch (error) {
      if (!(error instanceof Unfillable)) throw error;
      const place = `rule ${rule}, action ${action}, ${error.place}`;
      return { ...common, rejection: rejection("rejected", place, error.rule, error.value) };
    }
  }
}
