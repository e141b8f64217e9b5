import type { Configuration } from "#fixtures/configurations.ts";

/** The subject of an incident of the load. Its tag `kind` tells it to the rules. */
export type IncidentKind = "plain" | "idempotent" | "mixed";

interface ChaosAction {
  readonly rule: string;
  readonly kind: IncidentKind;
  readonly action: string;
  readonly idempotent: boolean;
  readonly attemptsMax: number;
}

/**
 * Responses of an overloaded endpoint, which has applied nothing, so that another attempt may
 * follow.
 */
export const NOT_APPLIED_STATUSES: readonly number[] = [429, 503];

/**
 * The actions of a schedule: a rule whose action may be sent once, a rule whose action is repeated
 * when it is in doubt, and a rule with one of each, in this order.
 */
const ACTIONS: readonly ChaosAction[] = [
  { rule: "ticket", kind: "plain", action: "open", idempotent: false, attemptsMax: 3 },
  { rule: "restart", kind: "idempotent", action: "restart", idempotent: true, attemptsMax: 4 },
  { rule: "drain", kind: "mixed", action: "drain", idempotent: true, attemptsMax: 3 },
  { rule: "drain", kind: "mixed", action: "notify", idempotent: false, attemptsMax: 2 },
];

/**
 * Returns the configuration document of a schedule, in which every transition of an incident has
 * the actions of its kind.
 */
export function withChaosRules(document: Configuration) {
  const [rule] = document.rules;
  const [action] = rule?.actions ?? [];
  if (rule === undefined || action === undefined) throw new Error("the document has no action");
  const names = [...new Set(ACTIONS.map((one) => one.rule))];
  return {
    ...document,
    // Compaction runs often, so that faults can fire during it.
    history: {
      ...document.history,
      sweepIntervalMs: SWEEP_INTERVAL_MS,
      snapshotEntriesMin: SNAPSHOT_ENTRIES_MIN,
    },
    rules: names.map((name) => chaosRule(name, rule.match, action)),
  };
}

const SWEEP_INTERVAL_MS = 1000;
export const SNAPSHOT_ENTRIES_MIN = 20;

type DocumentRule = Configuration["rules"][number];

function chaosRule(
  name: string,
  match: DocumentRule["match"],
  action: DocumentRule["actions"][number],
) {
  const actions = ACTIONS.filter((one) => one.rule === name);
  const kinds = [...new Set(actions.map(({ kind }) => kind))];
  return {
    name,
    match: { ...match, tags: { kind: kinds } },
    actions: actions.map((one) => chaosAction(one, action)),
  };
}

function chaosAction(
  { action: name, idempotent, attemptsMax }: ChaosAction,
  action: DocumentRule["actions"][number],
) {
  return {
    ...action,
    name,
    url: action.url.replace(/[^/]*$/, name),
    notAppliedStatuses: [...NOT_APPLIED_STATUSES],
    idempotent,
    attemptsMax,
  };
}
