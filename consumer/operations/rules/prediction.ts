import type { Config } from "#consumer/config/load-config.ts";
import { decode } from "#consumer/planning/decode.ts";
import type { Incident } from "#consumer/planning/incident.ts";
import { namedFields } from "#consumer/planning/named-fields.ts";
import { match } from "#consumer/planning/plan.ts";
import type { MatchedAction, PlannedAction } from "#consumer/planning/plan.ts";
import type { Action } from "#consumer/ports.ts";
import type { InputRecord } from "./input-record.ts";
import { createPredictedLimits } from "./predicted-limits.ts";
import type { PredictedLimits } from "./predicted-limits.ts";

export const RESULTS = [
  "send",
  "dry-run",
  "manual",
  "rejected",
  "suppressed",
  "too-old",
  "duplicate",
  "unmatched",
  "undecodable",
  "oversized",
  "tombstone",
] as const;

/**
 * The prediction of what the consumer would do: `send` an action, record it as a `dry-run`, leave it to a person
 * (`manual`), dead-letter it because a template cannot be filled (`rejected`) or a limit of the rule is reached
 * (`suppressed`), pass over it because the incident is `too-old` or the action has a `duplicate` before it; or, for
 * the record as a whole, that no rule matches or that it is no incident.
 */
type PredictedResult = (typeof RESULTS)[number];

/** One line of the result: an action of a record, or a record that causes none. */
export interface Prediction {
  /** The place of the record in the input, such as `incidents.ndjson:3`. */
  readonly place: string;
  /** Null where the record could not be decoded. */
  readonly incident: string | null;
  readonly status: string | null;
  /** ISO 8601, in UTC. */
  readonly startedOn: string | null;
  /** Null where the record causes no action. */
  readonly rule: string | null;
  readonly action: string | null;
  readonly key: string | null;
  readonly result: PredictedResult;
  /** The reason in one sentence; empty for `send`. */
  readonly detail: string;
  /** The request or command as it would be sent; null where its templates are not filled. */
  readonly request: Action | null;
}

export interface Predictor {
  /** Predicts one record after those before it: their keys make duplicates, their runs count for limits. */
  predict(record: InputRecord): Prediction[];
  /** The rules that have matched no record so far, in the order of the configuration. */
  unmatchedRules(): readonly string[];
  /** Incidents that came with one status and two starts: each start acts anew. */
  movedStarts(): readonly MovedStart[];
}

interface MovedStart {
  readonly incident: string;
  readonly status: string;
  /** ISO 8601, in the order in which they came. */
  readonly startedOn: readonly string[];
}

export interface PredictorOptions {
  readonly config: Config;
  /**
   * The present time that every record is processed at. Defaults to the record's timestamp, or else to the start of its
   * incident.
   */
  readonly nowMs?: number | undefined;
}

/**
 * Creates a predictor that decodes, matches and renders by the consumer's own code. Memory grows with distinct keys
 * alone.
 */
export function createPredictor({ config, nowMs }: PredictorOptions): Predictor {
  const { rules, incident: format, execution } = config;
  const named = namedFields(rules);
  const limits = createPredictedLimits();
  const ended = new Set<string>();
  const unmatched = new Set(rules.filter(({ mode }) => mode !== "off").map(({ name }) => name));
  const starts = createStarts();

  const presentMs = ({ timestampMs }: InputRecord): number | undefined => nowMs ?? timestampMs;

  const decoded = (record: InputRecord) => {
    const atMs = presentMs(record);
    return decode(record, format, {
      tagsNamed: named.tags,
      extraNamed: named.extra,
      ...(atMs === undefined ? {} : { startedOnMsMax: atMs + execution.clockSkewMsMax }),
    });
  };

  const predictAction = (
    action: MatchedAction,
    incident: Incident,
    place: string,
    atMs: number,
  ): Prediction => {
    const { key } = action;
    const row = (result: PredictedResult, detail = "", request: Action | null = null) => ({
      ...lineOf(place, incident),
      rule: action.rule,
      action: action.action,
      key,
      result,
      detail,
      request,
    });
    if (ended.has(key)) return row("duplicate", "the same action ended before");
    const ageMs = atMs - incident.startedOnMs;
    if (ageMs > execution.eventAgeMsMax) {
      const days = `${ageMs} ms after its start, execution.eventAgeMsMax is ${execution.eventAgeMsMax}`;
      return row("too-old", days);
    }
    ended.add(key);
    const planned = action.plan();
    if ("rejection" in planned) return row("rejected", planned.rejection.detail);
    const { result, detail } = admitted(planned, atMs, limits);
    return row(result, detail, planned.spec);
  };

  return {
    predict(record) {
      const { place } = record;
      const read = decoded(record);
      if (read.kind === "tombstone") return [withoutAction(place, "tombstone", "has no value")];
      if (read.kind === "rejected") {
        const { reason, detail } = read.rejection;
        return [withoutAction(place, reason === "oversized" ? reason : "undecodable", detail)];
      }
      const { incident } = read;
      starts.add(incident);
      const actions = match(incident, rules, {
        mode: execution.mode,
        actionDeadlineMs: execution.actionDeadlineMs,
      });
      if (actions.length === 0) {
        return [{ ...withoutAction(place, "unmatched", ""), ...lineOf(place, incident) }];
      }
      for (const { rule } of actions) unmatched.delete(rule);
      const atMs = presentMs(record) ?? incident.startedOnMs;
      return actions.map((action) => predictAction(action, incident, place, atMs));
    },
    unmatchedRules: () => [...unmatched],
    movedStarts: () => starts.moved(),
  };
}

/** A dry run asks for no limit; an action for a person counts as a run of its rule. */
function admitted(
  planned: PlannedAction,
  atMs: number,
  limits: PredictedLimits,
): { readonly result: PredictedResult; readonly detail: string } {
  if (planned.dryRun) return { result: "dry-run", detail: "" };
  if (planned.limits !== undefined) {
    const admission = limits.admit(planned.rule, planned.incident, planned.limits, atMs);
    if (!admission.admitted) return { result: "suppressed", detail: admission.detail };
  }
  return planned.manual === true
    ? { result: "manual", detail: "" }
    : { result: "send", detail: "" };
}

function withoutAction(place: string, result: PredictedResult, detail: string): Prediction {
  return {
    place,
    incident: null,
    status: null,
    startedOn: null,
    rule: null,
    action: null,
    key: null,
    result,
    detail,
    request: null,
  };
}

function lineOf(place: string, { id, status, startedOnMs }: Incident) {
  return { place, incident: id, status, startedOn: new Date(startedOnMs).toISOString() };
}

/** Remembers the starts of each incident and status. */
function createStarts() {
  const first = new Map<string, number>();
  const moved = new Map<string, { incident: string; status: string; startsMs: Set<number> }>();
  return {
    add({ id, status, startedOnMs }: Incident): void {
      const name = JSON.stringify([id, status]);
      const before = first.get(name);
      if (before === undefined) first.set(name, startedOnMs);
      if (before === undefined || before === startedOnMs) return;
      const known = moved.get(name) ?? { incident: id, status, startsMs: new Set([before]) };
      known.startsMs.add(startedOnMs);
      moved.set(name, known);
    },
    moved: (): readonly MovedStart[] =>
      Array.from(moved.values(), ({ incident, status, startsMs }) => ({
        incident,
        status,
        startedOn: Array.from(startsMs, (startMs) => new Date(startMs).toISOString()),
      })),
  };
}
