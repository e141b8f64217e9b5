import { isDeepStrictEqual } from "node:util";
import type { Prediction } from "./prediction.ts";

/** The difference of an action of a record between two configurations. */
export interface ActionDifference {
  readonly place: string;
  readonly incident: string | null;
  readonly status: string | null;
  readonly rule: string | null;
  readonly action: string | null;
  /** Undefined where the old configuration causes no such line. */
  readonly before: Pick<Prediction, "result" | "detail" | "request"> | undefined;
  /** Undefined where the new configuration causes no such line. */
  readonly after: Pick<Prediction, "result" | "detail" | "request"> | undefined;
}

/**
 * Compares what two configurations make of one record. Lines are equal when result and request are; lines without an
 * action (such as `unmatched`) count only where both sides differ in them.
 */
export function actionDifferences(
  before: readonly Prediction[],
  after: readonly Prediction[],
): readonly ActionDifference[] {
  const names = new Set([...before, ...after].filter(({ rule }) => rule !== null).map(nameOf));
  const differences: ActionDifference[] = [];
  for (const name of names) {
    const old = before.find((line) => nameOf(line) === name);
    const now = after.find((line) => nameOf(line) === name);
    if (old?.result === now?.result && isDeepStrictEqual(old?.request, now?.request)) continue;
    const line = now ?? old;
    if (line === undefined) continue;
    const { place, incident, status, rule, action } = line;
    differences.push({
      place,
      incident,
      status,
      rule,
      action,
      before: partsOf(old),
      after: partsOf(now),
    });
  }
  const [old] = before;
  const [now] = after;
  if (names.size === 0 && old !== undefined && now !== undefined && old.result !== now.result) {
    const { place, incident, status, rule, action } = now;
    differences.push({
      place,
      incident,
      status,
      rule,
      action,
      before: partsOf(old),
      after: partsOf(now),
    });
  }
  return differences;
}

function nameOf({ rule, action }: Prediction): string {
  return JSON.stringify([rule, action]);
}

function partsOf(line: Prediction | undefined): ActionDifference["after"] {
  if (line === undefined) return undefined;
  const { result, detail, request } = line;
  return { result, detail, request };
}
