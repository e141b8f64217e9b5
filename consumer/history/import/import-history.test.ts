import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hasCode } from "#consumer/errors.ts";
import { createExecutionTestBed, plannedAction } from "#fixtures/consumer/execution.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import { parseImport } from "./import-file.ts";
import {
  IMPORT_PLACEHOLDERS,
  importedKey,
  keyTemplateFault,
  renderImportKey,
} from "./import-key.ts";
import { VIEW_FILE } from "#consumer/history/base/layout.ts";

const TEMPLATE = "{{rule}}:{{incident.id}}:{{incident.status}}";
const IMPORT = { file: VIEW_FILE, keyTemplate: TEMPLATE };
const PLANNED = plannedAction();
const OLD_KEY = "restart-web:incident-1:active";
/** A day before the clock of the test bed begins. */
const AT_MS = Date.UTC(2025, 11, 31);

function parse(value: unknown, keyTemplate = TEMPLATE) {
  return parseImport(
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
    "old.json",
    keyTemplate,
  );
}

test.each([
  ["seconds", 1_767_139_200],
  ["seconds with a fraction", 1_767_139_200.25],
  ["milliseconds", 1_767_139_200_000],
  ["ISO 8601", "2025-12-31T00:00:00Z"],
  ["seconds as text", "1767139200"],
  ["a record with a time", { status: "ok", executed_at: "2025-12-31T00:00:00Z" }],
  ["a record with seconds", { timestamp: 1_767_139_200, attempts: 2 }],
])("a key to %s is read", (_name, value) => {
  const [record] = parse({ [OLD_KEY]: value });
  expect(record?.key).toBe(OLD_KEY);
  expect(Math.floor((record?.atMs ?? 0) / 1000)).toBe(AT_MS / 1000);
});

test("an empty history is read", () => {
  expect(parse({})).toEqual([]);
});

test.each([
  ["an array", [OLD_KEY], /\$: must be an object of keys .*, is an array/],
  ["null", null, /\$: must be an object.*, is null/],
  ["text", '"history"', /\$: must be an object.*, is a string/],
  ["no JSON", '{"a":', /\$: no JSON/],
  [
    "a boolean",
    { "a:1:b": 1_767_139_200, "a:2:b": true },
    /\$\["a:2:b"\]: must be a timestamp .* or a record, is true/,
  ],
  ["a list of times", { "a:1:b": [1] }, /\$\["a:1:b"\]: must be a timestamp .*, is an array/],
  ["null as a time", { "a:1:b": null }, /\$\["a:1:b"\]: must be a timestamp .*, is null/],
  ["no date", { "a:1:b": "yesterday" }, /\$\["a:1:b"\]: must be a timestamp .*"yesterday"/],
  ["microseconds", { "a:1:b": 1_767_139_200_000_000 }, /\$\["a:1:b"\]: must be a timestamp/],
  ["a version as a time", { "a:1:b": 1 }, /\$\["a:1:b"\]: must be a timestamp/],
  [
    "a record with no date",
    { "a:1:b": { ts: "soon" } },
    /\$\["a:1:b"\]\.ts: must be a timestamp.*"soon"/,
  ],
  [
    "a record that says no time",
    { "a:1:b": { status: "ok" } },
    /\$\["a:1:b"\]: must say its time in one of timestamp, executedAt, /,
  ],
  ["an empty key", { "": 1_767_139_200 }, /\$\[""\]: a key must be/],
  [
    "records below a name of their own",
    { version: 1, executed: { [OLD_KEY]: { timestamp: 1_767_139_200 } } },
    /\$\["version"\]: a key must fit history\.import\.keyTemplate \{\{rule\}\}:\{\{incident\.id\}\}:\{\{incident\.status\}\}/,
  ],
  [
    "records nested per incident",
    { "incident-1": { "restart-web": { timestamp: 1_767_139_200 }, at: 1_767_139_200 } },
    /\$\["incident-1"\]: a key must fit/,
  ],
  ["another separator", { "restart-web/incident-1/active": AT_MS }, /a key must fit/],
  ["a part that is empty", { "restart-web::active": AT_MS }, /a key must fit/],
  ["a part that is blank", { "restart-web: :active": AT_MS }, /a key must fit/],
  ["a key of this consumer", { ["ab".repeat(32)]: AT_MS }, /a key must fit/],
  [
    "a name that objects have",
    JSON.stringify({ [OLD_KEY]: AT_MS }).replace("{", `{"__proto__":${AT_MS},`),
    /\$\["__proto__"\]: a key must fit/,
  ],
])("%s is refused with the path of what is wrong", (_name, value, message) => {
  expect(() => parse(value)).toThrow(message);
  expect(() => parse(value)).toThrow(
    /old\.json: not the history of an older consumer, left as it is/,
  );
});

test.each([
  ["{{rule}}:{{incident.id}}:{{incident.startedOn}}", "a:b:1767139200", "a:b:1767139200000"],
  ["{{rule}}:{{incident.id}}:{{incident.startedOnMs}}", "a:b:1767139200000", "a:b:1767139200"],
  ["{{incident.startedOn}}{{incident.id}}", "1767139200INC", "2025-12-31INC"],
  ["act-{{rule}}-{{incident.id}}-end", "act-restart-web-INC-1-end", "act-restart-web-INC-1"],
  ["{{incident.id}}.{{rule}}", "INC.1.restart", ".restart"],
  ["{{ incident.id }}+({{rule}})", "INC+(restart)", "INCC(restart)"],
  ["{{incident.id}}", "INC", " "],
])("%s makes %s and not %s", (template, fitting, other) => {
  expect(parse({ [fitting]: AT_MS }, template)).toEqual([{ key: fitting, atMs: AT_MS }]);
  expect(() => parse({ [fitting]: AT_MS, [other]: AT_MS }, template)).toThrow(
    `$[${JSON.stringify(other)}]: a key must fit`,
  );
});

test("every key that a template makes fits it", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1 }).filter((value) => value.trim() !== "");
  const literal = fc.constantFrom("", ":", "/", "::", ".*", "a");
  const placeholder = fc.constantFrom(...IMPORT_PLACEHOLDERS).map((name) => `{{${name}}}`);
  const templates = fc
    .tuple(fc.array(fc.oneof(literal, placeholder), { maxLength: 8 }), literal)
    .map(([parts, end]) => `${parts.join("")}{{incident.id}}${end}`);
  fc.assert(
    fc.property(templates, text, text, text, (template, rule, id, transition) => {
      const incident = { ...PLANNED.incident, id, transition };
      const key = renderImportKey(template, { rule, action: "open", incident });
      expect(parse({ [key]: AT_MS }, template)).toEqual([{ key, atMs: AT_MS }]);
    }),
  );
});

test("a long key that does not fit costs no more than its length", () => {
  const template = `${"{{rule}}:".repeat(40)}{{incident.id}};`;
  const started = performance.now();
  expect(() => parse({ [":".repeat(4096)]: AT_MS }, template)).toThrow(/a key must fit/);
  expect(performance.now() - started).toBeLessThan(1000);
});

test("all that is wrong is told, as far as a person reads", () => {
  const many = Object.fromEntries(
    Array.from({ length: 12 }, (_, index) => [`key:${index}:ok`, false]),
  );
  expect(() => parse(many)).toThrow(/\["key:0:ok"\].*\["key:9:ok"\].*and 2 more/);
});

function lengthOrRefusal(value: unknown): unknown {
  try {
    return parse(value).length;
  } catch (error) {
    return hasCode(error, "history-unreadable") || error;
  }
}

test("whatever JSON it is, it is read whole or refused", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect([true, Object.keys(value ?? {}).length]).toContain(lengthOrRefusal(value));
    }),
  );
});

test("the template makes the old key", () => {
  expect(renderImportKey(TEMPLATE, PLANNED)).toBe(OLD_KEY);
  const { startedOnMs } = PLANNED.incident;
  expect(
    renderImportKey("{{ action }}/{{incident.startedOn}}/{{incident.startedOnMs}}", PLANNED),
  ).toBe(`open-ticket/${startedOnMs / 1000}/${startedOnMs}`);
  const tricky = {
    ...PLANNED,
    rule: "{{incident.id}}",
    incident: { ...PLANNED.incident, id: "$&" },
  };
  expect(renderImportKey("{{rule}}:{{incident.id}}", tricky)).toBe("{{incident.id}}:$&");
});

test.each([
  ["{{incident.id}}:{{incident.severity}}", /unknown placeholder \{\{incident\.severity\}\}/],
  ["{{rule}}:{{incident.status}}", /must hold \{\{incident\.id\}\}/],
  ["{{rule}:{{incident.id}}", /has a placeholder that is not closed/],
  ["{{incident.id}}:rule}}", /has a placeholder that is not closed/],
])("template %s has a fault", (template, fault) => {
  expect(keyTemplateFault(template)).toMatch(fault);
  expect(keyTemplateFault(TEMPLATE)).toBeUndefined();
});

test("an imported key suppresses, after a restart and a loss of power too, and people find it", async () => {
  const { open, volume, clock, published } = createHistoryTestBed();
  const old = JSON.stringify({ [OLD_KEY]: AT_MS / 1000, "other:1:ok": { time: AT_MS } });
  volume.put(VIEW_FILE, old);
  const pod = await open({ import: IMPORT });
  expect(pod.history.lookupImported(PLANNED)).toMatchObject({ outcome: "done", atMs: AT_MS });
  const other = plannedAction({ rule: "restart-database" });
  expect(pod.history.lookupImported(other)).toBeUndefined();
  await clock.advance(2000);
  expect(published().entries[importedKey(OLD_KEY)]).toMatchObject({ incidentId: OLD_KEY });
  volume.losePower();
  await using next = await open({ import: IMPORT });
  expect(next.history.lookupImported(PLANNED)).toBeDefined();
  // The old file stays, under another name.
  const kept = volume.paths().find((path) => path.startsWith("imported/"));
  expect(volume.text(kept ?? "")).toBe(old);
  expect(next.log.events()).not.toContain("history.imported");
  await pod.history.close();
});

test("what an older consumer did stays known past retention: no claim and no horizon speak of it", async () => {
  const testBed = createHistoryTestBed();
  const retentionMs = 3_600_000;
  testBed.volume.put(VIEW_FILE, JSON.stringify({ [OLD_KEY]: AT_MS }));
  await using first = await testBed.open({ import: IMPORT, retentionMs });
  await first.record(anEntry("other"));
  await first.history.compact();
  await testBed.clock.advance(3 * retentionMs);
  await first.record(anEntry("later"));
  await first.history.compact();
  await using next = await testBed.open({ import: IMPORT, retentionMs });
  expect(next.history.lookupImported(PLANNED)?.outcome).toBe("done");
});

test("a file elsewhere that is not there is said, unless one was imported before", async () => {
  const { open, volume } = createHistoryTestBed();
  const settings = { import: { ...IMPORT, file: "legacy/actions.json" } };
  const pod = await open(settings);
  expect(pod.log.events()).toContain("history.import.missing");
  await pod.history.close();
  volume.put("legacy/actions.json", JSON.stringify({ [OLD_KEY]: AT_MS }));
  const importing = await open(settings);
  expect(importing.log.events()).not.toContain("history.import.missing");
  await importing.history.close();
  await volume.mount().unlink("legacy/actions.json");
  await using next = await open(settings);
  expect(next.log.events()).not.toContain("history.import.missing");
  expect(next.history.lookupImported(PLANNED)).toBeDefined();
});

test("a file elsewhere is imported once", async () => {
  const { open, volume } = createHistoryTestBed();
  volume.put("legacy/actions.json", JSON.stringify({ [OLD_KEY]: { at: AT_MS } }));
  const settings = { import: { ...IMPORT, file: "legacy/actions.json" } };
  const pod = await open(settings);
  expect(pod.log.events()).toContain("history.imported");
  await using next = await open(settings);
  expect(next.log.events()).not.toContain("history.imported");
  expect(next.history.lookupImported(PLANNED)).toBeDefined();
  expect(volume.text("legacy/actions.json")).toContain(OLD_KEY);
  await pod.history.close();
});

test.each([
  ["an array", "[1]", IMPORT],
  [
    "an object of another shape",
    JSON.stringify({ version: 1, executed: { [OLD_KEY]: { timestamp: AT_MS } } }),
    IMPORT,
  ],
  [
    "a history that only looks like a view of ours",
    JSON.stringify({ format: 1, publishedAtMs: AT_MS, entries: { [OLD_KEY]: AT_MS } }, null, 1),
    IMPORT,
  ],
  [
    "a history with one record that does not fit",
    JSON.stringify({ [OLD_KEY]: AT_MS, "incident-1": AT_MS }),
    IMPORT,
  ],
  [
    "a history with one record that says no time",
    JSON.stringify({ [OLD_KEY]: AT_MS, "restart-web:incident-2:active": {} }),
    IMPORT,
  ],
  [
    "the history of an older consumer, without a word about it in the configuration",
    JSON.stringify({ [OLD_KEY]: AT_MS }),
    undefined,
  ],
])("%s is refused at the start and stays untouched", async (_name, content, settings) => {
  const { open, volume, clock } = createHistoryTestBed();
  volume.put(VIEW_FILE, content);
  const opening = open(settings && { import: settings });
  await expect(opening).rejects.toMatchObject({ code: "history-unreadable" });
  await clock.advance(10_000);
  expect(volume.text(VIEW_FILE)).toBe(content);
  expect(volume.paths().filter((path) => /^(imported|snapshot)\//.test(path))).toEqual([]);
});

test("nothing is replaced before the import is durable", async () => {
  const { open, volume } = createHistoryTestBed();
  const old = JSON.stringify({ [OLD_KEY]: AT_MS });
  volume.put(VIEW_FILE, old);
  const fault = failing({ operation: "link", path: /^snapshot/, phase: "before" }, "ENOSPC");
  await expect(open({ import: IMPORT, intercept: fault.intercept })).rejects.toMatchObject({
    code: "history-unavailable",
  });
  expect(volume.text(VIEW_FILE)).toBe(old);
  await using pod = await open({ import: IMPORT });
  expect(pod.history.lookupImported(PLANNED)).toBeDefined();
});

test("what an older consumer writes beside us during a rollout is taken over, not overwritten", async () => {
  const { open, volume, clock, record, published } = await rollout();
  volume.put(VIEW_FILE, JSON.stringify({ [OLD_KEY]: AT_MS }));
  await record();
  await clock.advance(2000);
  expect(open.history.lookupImported(PLANNED)).toBeDefined();
  expect(Object.keys(published().entries)).toHaveLength(2);
  await open.history.close();
});

async function rollout() {
  const testBed = createHistoryTestBed();
  const open = await testBed.open({ import: IMPORT });
  await testBed.clock.advance(2000);
  const record = () => open.record(anEntry("new", { startedOnMs: AT_MS, atMs: AT_MS }));
  return { ...testBed, open, record };
}

test("a view that a tool has written anew is ours; one of a newer version is refused", async () => {
  const { open, volume } = createHistoryTestBed();
  volume.put(VIEW_FILE, '{\n  "entries": {}, "format": 1 }');
  await using pod = await open();
  expect(pod.history.state).toEqual({ ready: true });
  volume.put(VIEW_FILE, '{"format":2,"publishedAtMs":1,"entries":{}}');
  await expect(open()).rejects.toMatchObject({ message: expect.stringContaining("format 2") });
});

test("an action that an older consumer executed is not sent again, and another one is", async () => {
  const { volume, clock, sender, start } = createExecutionTestBed();
  volume.put(VIEW_FILE, JSON.stringify({ [OLD_KEY]: AT_MS }));
  await using pod = await start("a", { import: IMPORT });
  const suppressed = await clock.runUntil(pod.execute(PLANNED));
  expect(suppressed).toMatchObject({ outcome: "done", endedBefore: true });
  expect(sender.sends).toEqual([]);
  const incident = { ...PLANNED.incident, id: "incident-2" };
  await clock.runUntil(pod.execute({ ...PLANNED, key: "ab".repeat(32), incident }));
  expect(sender.sends).toHaveLength(1);
});
