import type { Config } from "#consumer/config/load-config.ts";
import { isJsonObject } from "#consumer/json.ts";
import type { InputRecord } from "#consumer/operations/rules/input-record.ts";
import { decode } from "#consumer/planning/decode.ts";
import { namedFields } from "#consumer/planning/named-fields.ts";

/** A record to publish. */
export interface PlayedRecord {
  /** Its place in the input. */
  readonly place: string;
  /** The id of its incident; null where it cannot be decoded. */
  readonly incident: string | null;
  readonly value: Uint8Array | null;
}

/**
 * Moves the starts of all incidents by one number of whole seconds, so that the latest of them began within the last
 * second before `nowMs`. What cannot be decoded, and everything else in a record, stays as it is.
 */
export function shiftIncidents(
  records: readonly InputRecord[],
  { incident: format, rules }: Pick<Config, "incident" | "rules">,
  nowMs: number,
): readonly PlayedRecord[] {
  const { tags: tagsNamed, extra: extraNamed } = namedFields(rules);
  const decoded = records.map((record) => {
    const read = decode(record, format, { tagsNamed, extraNamed });
    return { ...record, found: read.kind === "incident" ? read.incident : null };
  });
  const latestMs = decoded.reduce(
    (latest, { found }) => Math.max(latest, found?.startedOnMs ?? latest),
    Number.NEGATIVE_INFINITY,
  );
  const shiftMs = Math.floor((nowMs - latestMs) / 1000) * 1000;
  return decoded.map(({ place, value, found }) => {
    if (found === null || value === null) return { place, incident: null, value };
    const startedOnMs = found.startedOnMs + shiftMs;
    return { place, incident: found.id, value: withStart(value, startedOnMs, format) };
  });
}

function withStart(
  value: Uint8Array,
  startedOnMs: number,
  { paths, startedOnUnit }: Config["incident"],
): Uint8Array {
  const document: unknown = JSON.parse(new TextDecoder().decode(value));
  const start = {
    s: startedOnMs / 1000,
    ms: startedOnMs,
    iso: new Date(startedOnMs).toISOString(),
  };
  setAt(document, paths.startedOn.split("."), start[startedOnUnit]);
  return new TextEncoder().encode(JSON.stringify(document));
}

function setAt(value: unknown, [name = "", ...rest]: readonly string[], to: unknown): void {
  if (!isJsonObject(value)) return;
  if (rest.length > 0) setAt(value[name], rest, to);
  else Object.assign(value, { [name]: to });
}
