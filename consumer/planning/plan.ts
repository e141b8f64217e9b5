import type { Action } from "#consumer/ports.ts";
import { rejection } from "./incident.ts";
import type { Incident, Rejection } from "./incident.ts";
import { actionKey } from "./key.ts";
import { renderAction, Unfillable } from "./render-action.ts";
import { chosenValues, matches } from "./match/match.ts";
import type { FieldName } from "./match/match.ts";
import { stricterMode } from "./rules.ts";
import type { ExecutionMode, LimitField, Rule, RuleAction, RunLimits } from "./rules.ts";

/** An action that a rule demands for one incident, with every template filled. */
export interface PlannedAction {
  /** The key, 64 hex digits (see key.ts). It names the claims and is sent as the Idempotency-Key. */
  readonly key: string;
  readonly rule: string;
  /** The name of the action within its rule. */
  readonly action: string;
  /** The request or command, ready to send. */
  readonly spec: Action;
  readonly incident: {
    readonly id: string;
    /** The status that the incident changed to. */
    readonly transition: string;
    /** The start of the episode, in milliseconds since the epoch. The age of the event counts from here. */
    readonly startedOnMs: number;
  };
  /** The longest time from the claim to the end of the send, in milliseconds. */
  readonly deadlineMs: number;
  /**
   * True when the rule declares that a second send has no second effect, so that an attempt in doubt may be repeated.
   */
  readonly idempotent: boolean;
  /** The largest number of attempts, at least 1. */
  readonly attemptsMax: number;
  /** True for an action that is claimed and recorded under a key of its own, but never sent. */
  readonly dryRun: boolean;
  /** True for an action that ends as rejected and unsent until an operator permits it. Defaults to false. */
  readonly manual?: boolean;
  /** The limits of its rule. Defaults to none. */
  readonly limits?: PlannedLimits;
}

/** The limits of a rule, for the incident of one action. */
export interface PlannedLimits extends RunLimits {
  /** The values of the fields of `per` in their order, with null for an absent field. Defaults to none. */
  readonly values?: readonly (string | null)[];
}

/** An action whose templates cannot be filled. It is claimed like any other and ends in one dead letter. */
export interface RejectedAction extends Omit<PlannedAction, "spec"> {
  readonly rejection: Rejection;
}

export interface PlanSettings {
  /** The mode in which actions are executed, unless the mode of their rule is stricter. */
  readonly mode: ExecutionMode;
  /** The deadline of an action that names none, in milliseconds. */
  readonly actionDeadlineMs: number;
}

/**
 * Returns the actions that the rules demand for an incident, in the order of the rules and of the actions within a
 * rule. The function is pure: the same incident and rules give the same actions with the same keys, on every pod and
 * after every restart.
 */
export function match(
  incident: Incident,
  rules: readonly Rule[],
  settings: PlanSettings,
): MatchedAction[] {
  const matched: MatchedAction[] = [];
  for (const rule of rules) {
    const mode = stricterMode(rule.mode ?? "live", settings.mode);
    if (mode === "off" || !matches(rule.match, incident)) continue;
    const ofRule = mode === settings.mode ? settings : { ...settings, mode };
    for (const action of rule.actions) {
      matched.push(new MatchedAction(incident, rule, action, ofRule));
    }
  }
  return matched;
}

/**
 * An action of a rule that applies, with its key. Filling the templates is a separate step, because most records of a
 * replayed topic have ended before, and the key alone shows that.
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
   * Fills the templates. The action alone is rejected when a template names a field that the incident lacks or has
   * several values of, or when a value would break out of its place, such as ".." in a path, a line break in a header
   * or a NUL in an argument.
   */
  plan(): PlannedAction | RejectedAction {
    const { key, rule, action } = this;
    const { mode, actionDeadlineMs } = this.#settings;
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
    };
    try {
      const limits = plannedLimits(this.#rule, this.#incident);
      return {
        ...common,
        ...(limits === undefined ? {} : { limits }),
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

/** Returns the name that conditions have for a field of `limits.per`. */
function fieldOf(field: Exclude<LimitField, "incident.id">): FieldName {
  switch (field) {
    case "incident.status":
      return "status";
    case "incident.severity":
      return "severity";
    case "incident.environment":
      return "environment";
    case "incident.title":
      return "title";
    default:
      return field;
  }
}

/** Throws `Unfillable` for a field with several values, of which the conditions of the rule do not choose one. */
function plannedLimits(
  { limits, match: conditions }: Rule,
  incident: Incident,
): PlannedLimits | undefined {
  if (limits?.per === undefined) return limits;
  const values = limits.per.map((field) => {
    if (field === "incident.id") return incident.id;
    const chosen = new Set(chosenValues(conditions, incident, fieldOf(field)));
    if (chosen.size > 1) throw new Unfillable(`limits.per ${field}`, "several-values", field);
    const [value = null] = chosen;
    return value;
  });
  return { ...limits, values };
}
