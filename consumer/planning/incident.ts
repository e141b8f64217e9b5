/** An incident whose every field was checked, without the envelope that it came in. */
export interface Incident {
  /** The id, 1 to 512 characters. BigPanda uses 24 hex digits. */
  readonly id: string;
  /** The status that the record reports, such as "critical", "warning" or "ok". 1 to 512 characters, in their case. */
  readonly status: string;
  /** The highest status so far, or null when the record has none. */
  readonly severity: string | null;
  /** The start of the episode, in milliseconds since the epoch. */
  readonly startedOnMs: number;
  readonly title: string | null;
  /** The environments in the order of the record; empty when it has none. */
  readonly environments: readonly string[];
  /** The values of each tag, in the order of the record. A tag without values is absent. */
  readonly tags: ReadonlyMap<string, readonly string[]>;
  /** The values of further fields by the names of `incident.paths.extra`; a field without a value is absent. */
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/**
 * The reason why a record, or one of its actions, cannot be processed. It is an expected condition of the input, so it
 * is a value and not an error.
 */
export interface Rejection {
  /** The reason that the dead letter gives. */
  readonly reason: "undecodable" | "oversized" | "rejected";
  /** The place of the fault, such as "value", "started_on" or "rule restart-web, action open-ticket, url". */
  readonly place: string;
  readonly rule: RejectionRule;
  /** The offending value, at most 80 characters; empty when there is none. */
  readonly value: string;
  /** The place, the rule and the value in one sentence, for the dead letter and the log. */
  readonly detail: string;
}

const RULES = {
  "too-large": "is larger than allowed",
  "not-utf8": "is not UTF-8",
  "not-json": "is not JSON",
  "not-an-object": "is not a JSON object",
  missing: "is missing",
  "several-values": "has several values, of which the rule's conditions do not choose one",
  "wrong-type": "has the wrong type",
  empty: "is empty",
  "too-long": "is longer than allowed",
  "too-many": "holds more than allowed",
  "not-exact": "is a number that does not keep its digits: send it as text",
  "not-well-formed": "holds a lone surrogate",
  "control-character": "holds a control character",
  "not-an-instant": "is not an instant",
  "out-of-range": "lies outside 2000-01-01 to 2100-01-01 (is the unit right?)",
  "in-the-future": "lies in the future, beyond the skew of the clocks",
  "unsafe-in-url": "would change the meaning of the URL",
  "unsafe-in-header": "cannot stand in an HTTP header",
  "unsafe-in-command": "cannot stand in a command argument",
} as const;

export type RejectionRule = keyof typeof RULES;

const VALUE_LENGTH_MAX = 80;

/** Makes a rejection. `value` is shortened, and left out of the sentence when it is undefined. */
export function rejection(
  reason: Rejection["reason"],
  place: string,
  rule: RejectionRule,
  value?: unknown,
): Rejection {
  const shown = value === undefined ? "" : shorten(value);
  const detail = `${place} ${RULES[rule]}${shown === "" ? "" : `: ${shown}`}`;
  return { reason, place, rule, value: shown, detail };
}

function shorten(value: unknown): string {
  const text =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, VALUE_LENGTH_MAX))
      : Array.isArray(value)
        ? `array of ${value.length}`
        : typeof value === "object" && value !== null
          ? "object"
          : String(value);
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX - 1)}…` : text;
}
