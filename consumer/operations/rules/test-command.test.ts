import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { readInput } from "./input-record.ts";
import { anIncident } from "#fixtures/incidents.ts";
import type { IncidentValue } from "#fixtures/incidents.ts";
import { ACTION, CRITICAL, createRulesDirectory, OK, RULE } from "./testing/rules-directory.ts";
import type { Given } from "./testing/rules-directory.ts";

const record = (value: IncidentValue | null, timestampMs: number) => ({
  topic: "bigpanda.incidents",
  partition: 0,
  offset: 7,
  ts: timestampMs,
  headers: [],
  key: null,
  payload: value === null ? null : JSON.stringify(value),
});
const STARTED_MS = CRITICAL.started_on * 1000;
const HOUR_MS = 3_600_000;
const MOVED_BACK = anIncident({ started_on: CRITICAL.started_on - 60 });
const ONCE_PER_STATUS = { per: ["incident.id", "incident.status"], coolDownMs: HOUR_MS };

describe("rules test", () => {
  test("prints what becomes of each record, with the request as it would be sent, and a summary", async () => {
    await using directory = await createRulesDirectory({ incidents: [CRITICAL, OK, CRITICAL] });
    const { text, exitCode } = await directory.test();
    expect(exitCode).toBe(0);
    expect(text).toContain(`incidents.ndjson:1  ${CRITICAL.id} critical
  send       restart-web / restart
      POST https://automation.test/web
      {"title":"Service web: 3 hosts not reachable"}
      key `);
    expect(text).toContain(`incidents.ndjson:2  ${CRITICAL.id} ok  unmatched`);
    expect(text).toContain("  duplicate  restart-web / restart: the same action ended before");
    expect(text).toMatch(/3 records: 1 send, 1 duplicate, 1 unmatched$/);
  });

  test("prints a key that is the key of the claim", async () => {
    await using directory = await createRulesDirectory();
    const { lines } = await directory.test("--json");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      startedOn: "2026-01-01T00:00:00.000Z",
      request: { type: "http", method: "POST", url: "https://automation.test/web" },
    });
  });

  test.each<[string, Given, readonly string[], readonly (string | null | undefined)[]]>([
    [
      "undecodable lines are rows",
      { incidents: 'nonsense\n{"id":7}\n' },
      [],
      ["undecodable", "undecodable"],
    ],
    [
      "an array",
      { incidents: JSON.stringify([CRITICAL, OK]) },
      [],
      ["restart-web/restart send", "unmatched"],
    ],
    [
      "one object over several lines",
      { incidents: JSON.stringify(CRITICAL, null, 2) },
      [],
      ["restart-web/restart send"],
    ],
    [
      "empty lines",
      { incidents: `\n${JSON.stringify(CRITICAL)}\n\n` },
      [],
      ["restart-web/restart send"],
    ],
    [
      "records of kcat, processed at their timestamps",
      {
        incidents: [
          record(CRITICAL, STARTED_MS + 25 * HOUR_MS),
          record(OK, STARTED_MS),
          record(null, 0),
        ],
      },
      [],
      ["restart-web/restart too-old", "unmatched", "tombstone"],
    ],
    [
      "a record with its value as an object",
      { incidents: [{ value: CRITICAL, timestamp: STARTED_MS }] },
      [],
      ["restart-web/restart send"],
    ],
    [
      "an incident of the future of its record",
      { incidents: [record(CRITICAL, STARTED_MS - HOUR_MS)] },
      [],
      ["undecodable"],
    ],
    ["too old at --now", {}, ["--now", "2026-01-02T00:00:01Z"], ["restart-web/restart too-old"]],
    ["young at --now", {}, ["--now", "2026-01-02T00:00:00Z"], ["restart-web/restart send"]],
    [
      "a value that the template needs is absent",
      { incidents: [{ ...CRITICAL, title: null }] },
      [],
      ["restart-web/restart rejected"],
    ],
    [
      "a reopening with the same start, which is the same episode",
      { incidents: [CRITICAL, OK, CRITICAL] },
      [],
      ["restart-web/restart send", "unmatched", "restart-web/restart duplicate"],
    ],
    [
      "a start that moves back, which is another episode",
      { incidents: [CRITICAL, MOVED_BACK] },
      [],
      ["restart-web/restart send", "restart-web/restart send"],
    ],
    [
      "a start that moves back within the cool-down of its incident and status",
      {
        rules: [{ ...RULE, limits: ONCE_PER_STATUS }],
        incidents: [
          record(CRITICAL, STARTED_MS),
          record(MOVED_BACK, STARTED_MS + HOUR_MS / 2),
          record(CRITICAL, STARTED_MS + 2 * HOUR_MS),
          record(MOVED_BACK, STARTED_MS + 2 * HOUR_MS),
        ],
      },
      [],
      [
        "restart-web/restart send",
        "restart-web/restart suppressed",
        "restart-web/restart duplicate",
        "restart-web/restart duplicate",
      ],
    ],
    ["a dry run", { execution: { mode: "dry-run" } }, [], ["restart-web/restart dry-run"]],
    [
      "a limit for each value",
      {
        rules: [{ ...RULE, limits: { per: ["tags.service"], coolDownMs: 1000 } }],
        incidents: [
          CRITICAL,
          anIncident({ id: "second" }),
          anIncident({ id: "third", tags: { service: "api" } }),
        ],
      },
      [],
      ["restart-web/restart send", "restart-web/restart suppressed", "restart-web/restart send"],
    ],
    [
      "modes of rules",
      {
        rules: [
          { ...RULE, name: "off", mode: "off" },
          { ...RULE, name: "dry", mode: "dry-run" },
          { ...RULE, name: "manual", mode: "manual" },
        ],
      },
      [],
      ["dry/restart dry-run", "manual/restart manual"],
    ],
    ["manual mode", { execution: { mode: "manual" } }, [], ["restart-web/restart manual"]],
    [
      "a limit of the rule",
      {
        rules: [{ ...RULE, limits: { coolDownMs: 1000 } }],
        incidents: [CRITICAL, anIncident({ id: "second" })],
      },
      [],
      ["restart-web/restart send", "restart-web/restart suppressed"],
    ],
    [
      "several actions, in their order",
      { rules: [{ ...RULE, actions: [ACTION, { ...ACTION, name: "second" }] }] },
      [],
      ["restart-web/restart send", "restart-web/second send"],
    ],
  ])("%s", async (_name, given, argv, expected) => {
    await using directory = await createRulesDirectory(given);
    expect(await directory.results(...argv)).toEqual(expected);
  });

  test("reads every file of a directory, in the order of their names", async () => {
    await using directory = await createRulesDirectory();
    await mkdir(join(directory.path, "more"));
    await directory.write("more/b.json", JSON.stringify(OK));
    await directory.write("more/a.json", JSON.stringify(CRITICAL));
    const more = join(directory.path, "more");
    const { lines } = await directory.run(
      "rules",
      "test",
      "--json",
      "--config",
      directory.config,
      "--incidents",
      more,
    );
    expect(lines.map((line) => JSON.parse(line).result)).toEqual(["send", "unmatched"]);
  });

  test("warns of rules that match nothing, and of an incident that comes with two starts", async () => {
    const never = { ...RULE, name: "never", match: { environment: ["prodution"] } };
    const later = anIncident({ started_on: CRITICAL.started_on + 60 });
    await using directory = await createRulesDirectory({
      rules: [RULE, never],
      incidents: [CRITICAL, later],
    });
    const { text } = await directory.test();
    expect(text).toContain("warning: rule never matched nothing");
    expect(text).toContain(
      `warning: incident ${CRITICAL.id} came as critical with 2 starts ` +
        "(2026-01-01T00:00:00.000Z, 2026-01-01T00:01:00.000Z): each acts anew",
    );
  });

  test("does not warn of an incident that opens again with the same start", async () => {
    await using directory = await createRulesDirectory({ incidents: [CRITICAL, OK, CRITICAL] });
    expect((await directory.test()).text).not.toContain("warning");
  });

  test("--against prints how actions differ, and nothing else", async () => {
    const changed = { ...RULE, actions: [{ ...ACTION, url: "https://automation.test/v2" }] };
    const added = { ...RULE, name: "added", match: { status: ["ok"] } };
    await using directory = await createRulesDirectory({
      rules: [changed, added],
      incidents: [CRITICAL, OK, CRITICAL],
    });
    const old = await directory.writeConfig("old.yaml", [RULE]);
    const { text, exitCode } = await directory.test("--against", old);
    expect(exitCode).toBe(0);
    expect(text)
      .toContain(`~ incidents.ndjson:1  ${CRITICAL.id} critical  restart-web / restart: send, with another request
    - POST https://automation.test/web`);
    expect(text).toContain("+ POST https://automation.test/v2");
    expect(text).toContain(`+ incidents.ndjson:2  ${CRITICAL.id} ok  added / restart: send`);
    expect(text).toMatch(/3 records: 2 differences$/);
  });
});

async function recordsOf(input: string | Buffer | Readable, name = "-") {
  const stream = input instanceof Readable ? input : Readable.from([Buffer.from(input)]);
  const records = await Array.fromAsync(readInput([name], stream, new AbortController().signal));
  return records.map(({ place, value }) => [place, Buffer.from(value ?? "").toString("latin1")]);
}

describe("input", () => {
  test("is split at line feeds alone, and its bytes are left as they are", async () => {
    const bytes = Buffer.from('{"a":"\u2028"}\n{"b":"?"}\r\n\n{"c":1}');
    bytes[bytes.indexOf("?")] = 0xff;
    const records = await recordsOf(bytes);
    expect(records.map(([place]) => place)).toEqual(["stdin:1", "stdin:2", "stdin:4"]);
    expect(records[1]?.[1]).toBe('{"b":"\xff"}\r');
  });

  test("may come in pieces of any size", async () => {
    const text = '{"a":"é"}\n\n{"b":2}\n';
    const pieces = Array.from(Buffer.from(text), (byte) => Buffer.from([byte]));
    expect(await recordsOf(Readable.from(pieces))).toEqual(await recordsOf(text));
  });

  test("that holds nothing is refused", async () => {
    await expect(recordsOf(" \n\n")).rejects.toMatchObject({
      code: "usage",
      message: "--incidents stdin: the input is empty",
    });
  });

  test("that is a pipe in the file system is read once", async () => {
    await using directory = await createRulesDirectory();
    const pipe = join(directory.path, "pipe");
    execFileSync("mkfifo", [pipe]);
    const written = writeFile(pipe, '{"a":1}\n{"b":2}\n');
    expect((await recordsOf("", pipe)).map(([place]) => place)).toEqual([`${pipe}:1`, `${pipe}:2`]);
    await written;
  });

  test("is not waited for when the command is stopped", async () => {
    const stop = new AbortController();
    const silent = new Readable({ read: () => undefined });
    const reading = Array.fromAsync(readInput(["-"], silent, stop.signal));
    stop.abort(new Error("SIGTERM"));
    await expect(reading).rejects.toThrow("SIGTERM");
    expect(silent.destroyed).toBe(true);
  });
});
