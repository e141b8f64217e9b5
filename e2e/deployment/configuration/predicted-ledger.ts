import type { Config } from "#consumer/config/load-config.ts";
import type { Prediction } from "#consumer/operations/rules/prediction.ts";
import type { Action } from "#consumer/ports.ts";
import type { Effect } from "#simulator/action-endpoint/ledger.ts";
import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import type { ExpectedAction } from "#e2e/checkers/history-event.ts";
import { RECORDER_PATH, recordedVariables } from "./recorder.ts";

/** An action as the ledger shows it, by the names of its parts. */
type RecordedAction = Readonly<Record<string, string>>;

interface PredictedSend {
  /** The rule, action and incident, for messages. */
  readonly name: string;
  /** The action under each configuration that may have executed it. */
  readonly alternatives: RecordedAction[];
}

/** The actions that must be in the ledger of effects, each once, and nothing else. */
export class PredictedLedger {
  readonly #principal: string;
  readonly #sends = new Map<string, PredictedSend>();

  /** `principal` is the name in the certificate of the pods. */
  constructor(principal: string) {
    this.#principal = principal;
  }

  /** The number of actions that are predicted so far. */
  get size(): number {
    return this.#sends.size;
  }

  /** Adds what is sent. A key that is there already may be executed as either says. */
  add(predictions: readonly Prediction[]): void {
    for (const { rule, action, incident, key, result, request } of predictions) {
      if (result !== "send" || key === null || request === null) continue;
      const name = `${String(rule)}/${String(action)} of incident ${String(incident)}`;
      const send = this.#sends.get(key) ?? { name, alternatives: [] };
      send.alternatives.push(predictedAction(request, this.#principal));
      this.#sends.set(key, send);
    }
  }

  /** Compares with the ledger. Returns one finding per difference. */
  differences(effects: readonly Effect[]): string[] {
    const unknown = effects.filter(({ key }) => key === null || !this.#sends.has(key));
    return [
      ...unknown.map((effect) => `not predicted: ${describe(recordedAction(effect))}`),
      ...[...this.#sends].flatMap(([key, send]) => differencesOf(send, effectsOf(effects, key))),
    ];
  }
}

function effectsOf(effects: readonly Effect[], key: string): readonly RecordedAction[] {
  return effects.filter((effect) => effect.key === key).map(recordedAction);
}

function differencesOf(
  { name, alternatives }: PredictedSend,
  recorded: readonly RecordedAction[],
): string[] {
  const [action] = recorded;
  const wanted = [...new Set(alternatives.map(describe))].join(", or ");
  if (action === undefined) return [`${name}: predicted and not in the ledger: ${wanted}`];
  const findings: string[] = [];
  if (recorded.length > 1) findings.push(`${name}: ${recorded.length} times in the ledger`);
  for (const shown of recorded) {
    const differences = alternatives.map((alternative) => differingParts(alternative, shown));
    const [fewest = []] = differences.toSorted((one, other) => one.length - other.length);
    if (fewest.length > 0) findings.push(`${name}: ${fewest.join("; ")}`);
  }
  return findings;
}

function differingParts(predicted: RecordedAction, shown: RecordedAction): string[] {
  const parts = new Set([...Object.keys(predicted), ...Object.keys(shown)]);
  return [...parts].flatMap((part) => {
    const [wanted = "", got = ""] = [predicted[part], shown[part]];
    return wanted === got ? [] : [`${part} was predicted as ${wanted || '""'}, got ${got || '""'}`];
  });
}

function predictedAction(action: Action, principal: string): RecordedAction {
  if (action.type === "command") {
    return commandAction(action.command, recordedVariables(action.environment));
  }
  const { origin, pathname, search } = new URL(action.url);
  return {
    method: action.method,
    url: `${origin}${pathname}${search}`,
    principal: action.useIdentity ? principal : "none",
    body: action.body ?? "",
  };
}

function recordedAction(effect: Effect): RecordedAction {
  const { method, origin, path, principal, body } = effect;
  if (origin === null && path === RECORDER_PATH) {
    const { argv, variables }: { argv: string[]; variables: string[] } = JSON.parse(body);
    return commandAction(argv, variables);
  }
  return { method, url: `${origin ?? ""}${path}`, principal: principal ?? "none", body };
}

function commandAction(argv: readonly string[], variables: readonly string[]): RecordedAction {
  return { command: JSON.stringify(argv), variables: variables.join(" ") };
}

function describe(action: RecordedAction): string {
  return Object.entries(action)
    .map(([part, value]) => `${part} ${value === "" ? '""' : value}`)
    .join(", ");
}

/** Returns the actions of a record that must come to an end, whether they are sent or not. */
export function plannedActions(
  predictions: readonly Prediction[],
  { rules }: Pick<Config, "rules">,
): ExpectedAction[] {
  return predictions.flatMap(({ rule, action, incident, status, startedOn, key }) => {
    if (rule === null || incident === null || status === null || startedOn === null) return [];
    const found = rules
      .find(({ name }) => name === rule)
      ?.actions.find(({ name }) => name === action);
    if (found === undefined || action === null) return [];
    const { idempotent, attemptsMax } = found;
    const startedOnMs = Date.parse(startedOn);
    const fields = { rule, action, incident, transition: status, startedOnMs };
    const dryRun = key === actionKeyOf(fields, "dry-run");
    return [{ ...fields, idempotent, attemptsMax, ...(dryRun && { dryRun }) }];
  });
}
