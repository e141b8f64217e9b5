import type { Match } from "./match/match.ts";
import type { HttpAction } from "#consumer/ports.ts";

interface RuleActionBase {
  /** The name of the action, unique within its rule. */
  readonly name: string;
  /**
   * The longest time from the claim to the end of the send, in milliseconds. Defaults to that of the plan's settings.
   */
  readonly deadlineMs?: number | undefined;
  readonly idempotent: boolean;
  readonly attemptsMax: number;
  readonly keepResponse?: HttpAction["keepResponse"];
}

export interface HttpRuleAction extends RuleActionBase {
  readonly type: "http";
  readonly method: HttpAction["method"];
  /** The URL, a template. */
  readonly url: string;
  /** The headers, whose values are templates. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, a template. */
  readonly body?: string | null | undefined;
  readonly useIdentity: boolean;
  readonly notAppliedStatuses: readonly number[];
}

export interface CommandRuleAction extends RuleActionBase {
  readonly type: "command";
  /** The executable and its arguments, all of them templates. The executable should have no placeholder. */
  readonly command: readonly string[];
  /** The environment variables, whose values are templates. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

export type RuleAction = HttpRuleAction | CommandRuleAction;

/** A field of an incident by which the runs of a rule are counted apart. */
export type LimitField =
  | "incident.id"
  | `incident.${"status" | "severity" | "environment" | "title"}`
  | `tags.${string}`
  | `extra.${string}`;

/** Limits how often a rule may run, counted over all pods and incidents. */
export interface RunLimits {
  /**
   * The fields whose values are counted apart, such as `tags.host`: each combination of values has limits of its own,
   * and an absent value is one of them. Defaults to none, so that the rule is limited as a whole.
   */
  readonly per?: readonly LimitField[] | undefined;
  /** The shortest time between two runs of the rule, in milliseconds. Defaults to none. */
  readonly coolDownMs?: number | undefined;
  /** The largest number of runs of the rule within any 3600 s. Defaults to no limit. */
  readonly runsPerHourMax?: number | undefined;
}

/**
 * The way in which the actions of a rule are executed. `live` sends them. `manual` leaves each to a person: it is
 * dead-lettered with what would be sent until an operator permits it. `dry-run` records what would be done, under keys
 * of its own.
 */
export type ExecutionMode = "live" | "manual" | "dry-run";

/** The mode of one rule. With `off`, the rule plans nothing. */
export type RuleMode = ExecutionMode | "off";

/** The modes from the least to the most strict. */
const MODES = ["live", "manual", "dry-run", "off"] as const;

/** Returns the stricter of the mode of a rule and the mode of the whole configuration. */
export function stricterMode(ofRule: RuleMode, ofAll: ExecutionMode): RuleMode {
  return MODES.indexOf(ofRule) > MODES.indexOf(ofAll) ? ofRule : ofAll;
}

/** A rule of the configuration: the incidents that it applies to, and the actions that they cause. */
export interface Rule {
  readonly name: string;
  readonly match: Match;
  /** The mode of the rule, used where it is stricter than the mode of the whole configuration. Defaults to "live". */
  readonly mode?: RuleMode | undefined;
  readonly limits?: RunLimits | undefined;
  readonly actions: readonly RuleAction[];
}
