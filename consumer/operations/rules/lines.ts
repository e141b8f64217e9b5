import type { Action } from "#consumer/ports.ts";
import type { ActionDifference } from "./difference.ts";
import type { Prediction } from "./prediction.ts";

/** Returns the lines of one record for a person: what became of it, and every request as it would be sent. */
export function recordLines(predictions: readonly Prediction[]): readonly string[] {
  const [first] = predictions;
  if (first === undefined) return [];
  if (first.rule === null) {
    return [`${headOf(first)}  ${first.result}${because(first.detail)}`];
  }
  return [headOf(first), ...predictions.flatMap(actionLines)];
}

function actionLines({
  rule,
  action,
  result,
  detail,
  key,
  request,
}: Prediction): readonly string[] {
  return [
    `  ${result.padEnd(11)}${String(rule)} / ${String(action)}${because(detail)}`,
    ...(request === null ? [] : [...requestLines(request), `      key ${String(key)}`]),
  ];
}

function requestLines(request: Action): readonly string[] {
  if (request.type === "command") {
    const environment = Object.entries(request.environment ?? {});
    return [
      `      ${JSON.stringify(request.command)}`,
      ...environment.map(([name, value]) => `      ${name}=${JSON.stringify(value)}`),
    ];
  }
  const headers = Object.entries(request.headers);
  return [
    `      ${request.method} ${request.url}`,
    ...headers.map(([name, value]) => `      ${name}: ${value}`),
    ...(request.body === null ? [] : [`      ${request.body}`]),
  ];
}

/** Returns the lines of a difference: `+` is new, `-` is gone, `~` is changed. */
export function differenceLines(difference: ActionDifference): readonly string[] {
  const { rule, action, before, after } = difference;
  const sign = before === undefined ? "+" : after === undefined ? "-" : "~";
  const name = rule === null ? "the record" : `${rule} / ${String(action)}`;
  const result =
    before === undefined || after === undefined
      ? (before ?? after)?.result
      : before.result === after.result
        ? `${after.result}, with another request`
        : `${before.result} -> ${after.result}`;
  return [
    `${sign} ${headOf(difference)}  ${name}: ${String(result)}`,
    ...sideLines(before, "-"),
    ...sideLines(after, "+"),
  ];
}

function sideLines(side: ActionDifference["after"], mark: string): readonly string[] {
  if (side === undefined || side.request === null) return [];
  return requestLines(side.request).map((line) => `    ${mark} ${line.trim()}`);
}

function headOf(line: {
  readonly place: string;
  readonly incident: string | null;
  readonly status: string | null;
}): string {
  const { place, incident, status } = line;
  return incident === null ? place : `${place}  ${incident} ${String(status)}`;
}

function because(detail: string): string {
  return detail === "" ? "" : `: ${detail}`;
}
