import { expect, test } from "vitest";
import { anIncident, asRecord, DEFAULT_FORMAT } from "#fixtures/incidents.ts";
import { decode } from "./decode.ts";
import { namedFields } from "./named-fields.ts";
import { match } from "./plan.ts";
import type { CommandRuleAction, Rule } from "./rules.ts";

/** Largest record that is parsed. */
const BYTES_MAX = 1_048_576;
/** Far away: a record took 13 s. */
const ABSOLUTE_MS_MAX = 2_000;
/** Below, the ratio says more about the machine. */
const NEGLIGIBLE_MS = 100;

const COMMAND: CommandRuleAction = {
  name: "restart",
  type: "command",
  command: ["/bin/restart", "{{incident.tags.host}}", "{{incident.title}}"],
  idempotent: false,
  attemptsMax: 1,
};
const RULES: readonly Rule[] = [
  { name: "all", match: {}, actions: [COMMAND] },
  { name: "tag", match: { tags: { host: ["none", "neither"] } }, actions: [COMMAND] },
  { name: "environment", match: { environment: ["none", "neither"] }, actions: [COMMAND] },
];

/** All that is done in one step for a record; what comes of it. */
function work(value: Uint8Array): string {
  const decoded = decode({ value }, DEFAULT_FORMAT, { tagsNamed: namedFields(RULES).tags });
  if (decoded.kind !== "incident") return decoded.kind;
  const planned = match(decoded.incident, RULES, { mode: "live", actionDeadlineMs: 1 });
  return planned.map((action) => ("rejection" in action.plan() ? "rejected" : "filled")).join();
}

/** JSON text of about `length` characters. */
type Shape = (length: number) => string;

const repeated =
  (head: string, unit: string, tail: string): Shape =>
  (length) =>
    head + unit.repeat(Math.floor((length - head.length - tail.length) / unit.length)) + tail;

const nested =
  (open: string, inner: string, close: string): Shape =>
  (length) => {
    const depth = Math.floor(length / (open.length + close.length));
    return open.repeat(depth) + inner + close.repeat(depth);
  };

const numbered =
  (open: string, unit: (index: number) => string, close: string): Shape =>
  (length) => {
    const units: string[] = [];
    for (let used = 0; used < length; used += units.at(-1)!.length + 1) {
      units.push(unit(units.length));
    }
    return open + units.slice(0, -1).join(",") + close;
  };

/** An incident whose one field has that shape and all the room there is; it comes last, and so it counts. */
function sized(bytes: number, field: string, shape: Shape): Uint8Array {
  const { tags: _tags, ...rest } = anIncident();
  const before = `${JSON.stringify(rest).slice(0, -1)},"${field}":`;
  return asRecord(`${before}${shape(bytes - before.length - 16)}}`).value!;
}

const PAIR = '{"tag_name":"host","tag_value":"a"}';

const SHAPES: Record<string, [field: string, shape: Shape]> = {
  "one tag in a list of pairs": ["tags", repeated(`[${PAIR}`, `,${PAIR}`, "]")],
  "pairs of two values": ["tags", repeated("[", '{"name":"x","value":["a","b"]},', `${PAIR}]`)],
  "pairs of many names": ["tags", numbered("[", (n) => `{"name":"t${n}","value":"a"}`, "]")],
  "an object of many names": ["tags", numbered("{", (n) => `"t${n}":"a"`, "}")],
  "names like array indexes": ["tags", numbered("{", (n) => `"${n * 40_503}":"a"`, "}")],
  "one JSON key again and again": ["tags", repeated('{"host":"a"', ',"host":"a"', "}")],
  "the id again and again": ["x", repeated("1", ',"id":"653989e5"', "")],
  "many values of a tag": ["tags", repeated('{"host":["a"', ',"a"', "]}")],
  "many values of an unrelated tag": ["tags", repeated('{"x":["a"', ',"a"', "]}")],
  "tags of 1000 values": ["tags", numbered("{", (n) => `"t${n}":[1${",1".repeat(999)}]`, "}")],
  "many environments": ["environment", repeated('["a"', ',"a"', "]")],
  "many odd tags": ["tags", numbered("{", (n) => `"t${n}":{}`, "}")],
  "long odd tags": ["tags", numbered("{", (n) => `"t${n}":"${"x".repeat(70_000)}"`, "}")],
  "long tags": ["tags", numbered("{", (n) => `"t${n}":"${"x".repeat(60_000)}"`, "}")],
  "one text": ["tags", repeated('{"x":"', "x", '"}')],
  "a long name of a tag": ["tags", repeated('{"', "x", '":1}')],
  "a long title": ["title", repeated('"', "x", '"')],
  "a long id": ["id", repeated('"', "x", '"')],
  "a long started_on": ["started_on", repeated("1", "7", "")],
  escapes: ["tags", repeated('{"x":"', String.raw`\u00e9`, '"}')],
  "lone surrogates": ["tags", repeated('{"x":"', String.raw`\ud800`, '"}')],
  "digits of one number": ["tags", repeated('{"x":1', "7", "}")],
  "many numbers": ["tags", repeated('{"x":[0', ",0.30000000000000004e-300", "]}")],
  "nested arrays in a tag": ["tags", nested("[", "", "]")],
  "nested arrays beside": ["x", nested("[", "", "]")],
  "nested objects in tags": ["tags", nested('{"host":', "1", "}")],
  "nested objects beside": ["x", nested('{"a":', "1", "}")],
  "many fields beside": ["x", numbered("{", (n) => `"f${n}":null`, "}")],
  "many alerts": ["alerts", numbered("[", (n) => JSON.stringify(anIncident({ id: `${n}` })), "]")],
  spaces: ["x", repeated("1", " ", "")],
  "no JSON at its end": ["x", repeated('"', "x", '"]')],
};

/** The best of some, which is the one that was disturbed least. */
function costMs(value: Uint8Array): number {
  const runs = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    work(value);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...runs);
}

test.each(Object.entries(SHAPES).map(([what, [field, shape]]) => ({ what, field, shape })))(
  "at the size limit, in proportion to it: $what",
  ({ field, shape }) => {
    const whole = sized(BYTES_MAX, field, shape);
    expect(whole.byteLength).toBeGreaterThan(0.9 * BYTES_MAX);
    expect(whole.byteLength).toBeLessThanOrEqual(BYTES_MAX);
    const halfMs = costMs(sized(BYTES_MAX / 2, field, shape));
    const wholeMs = costMs(whole);
    expect(wholeMs).toBeLessThan(ABSOLUTE_MS_MAX);
    expect(wholeMs).toBeLessThan(Math.max(NEGLIGIBLE_MS, 2.5 * halfMs));
  },
);
