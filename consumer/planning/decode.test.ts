import { describe, expect, test } from "vitest";
import { anIncident, asRecord, DEFAULT_FORMAT, incidentFiles } from "#fixtures/incidents.ts";
import { decode } from "./decode.ts";
import type { Decoded } from "./decode.ts";
import type { Incident, Rejection } from "./incident.ts";

const FORMAT = { ...DEFAULT_FORMAT, valueBytesMax: 65_536 };

/** Place and rule that each invalid file breaks. */
const REASONS: Record<string, readonly [place: string, rule: Rejection["rule"]]> = {
  "array.json": ["value", "not-an-object"],
  "avro-framed.bin": ["value", "not-json"],
  "blank-id.json": ["id", "empty"],
  "boolean-status.json": ["status", "wrong-type"],
  "control-character-id.json": ["id", "control-character"],
  "empty-id.json": ["id", "empty"],
  "empty-status.json": ["status", "empty"],
  "empty.bin": ["value", "empty"],
  "fractional-started-on.json": ["started_on", "not-an-instant"],
  "gzip.bin": ["value", "not-utf8"],
  "infinite-started-on.json": ["started_on", "not-an-instant"],
  "json-null.json": ["value", "not-an-object"],
  "json-number.json": ["value", "not-an-object"],
  "json-string.json": ["value", "not-an-object"],
  "lone-surrogate-id.json": ["id", "not-well-formed"],
  "lone-surrogate-title.json": ["title", "not-well-formed"],
  "milliseconds-as-started-on.json": ["started_on", "out-of-range"],
  "missing-id.json": ["id", "missing"],
  "missing-started-on.json": ["started_on", "missing"],
  "missing-status.json": ["status", "missing"],
  "negative-started-on.json": ["started_on", "out-of-range"],
  "nested-environment.json": ["environment[1]", "wrong-type"],
  "not-utf8.bin": ["value", "not-utf8"],
  "null-id.json": ["id", "missing"],
  "numeric-id.json": ["id", "wrong-type"],
  "numeric-severity.json": ["severity", "wrong-type"],
  "object-environment.json": ["environment", "wrong-type"],
  "object-id.json": ["id", "wrong-type"],
  "object-tag-value.json": ["tags.service", "wrong-type"],
  "object-title.json": ["title", "wrong-type"],
  "pair-not-an-object.json": ["tags[0]", "wrong-type"],
  "pair-without-name.json": ["tags[0].name", "missing"],
  "plain-text.txt": ["value", "not-json"],
  "textual-started-on.json": ["started_on", "wrong-type"],
  "textual-tags.json": ["tags", "wrong-type"],
  "too-large.json": ["value", "too-large"],
  "too-long-id.json": ["id", "too-long"],
  "trailing-comma.json": ["value", "not-json"],
  "truncated.json": ["value", "not-json"],
  "two-documents.json": ["value", "not-json"],
  "utf16.bin": ["value", "not-utf8"],
};

const valid = await incidentFiles("valid");
const invalid = await incidentFiles("invalid");
const shapes = await incidentFiles("shapes");

function incidentOf(decoded: Decoded): Incident {
  if (decoded.kind !== "incident") throw new Error(JSON.stringify(decoded));
  return decoded.incident;
}

describe("valid incidents", () => {
  test("there are enough of them", () => {
    expect(valid.size).toBeGreaterThanOrEqual(10);
  });

  test.each([...valid])("%s decodes", (_name, value) => {
    const incident = incidentOf(decode({ value }, FORMAT));
    expect(incident.id).not.toBe("");
    expect(incident.status).not.toBe("");
    expect(new Date(incident.startedOnMs).getUTCFullYear()).toBe(2026);
  });

  const named = (name: string): Incident =>
    incidentOf(decode({ value: valid.get(name) ?? null }, FORMAT));

  test("every field is taken over, seconds become milliseconds", () => {
    const { tags, ...rest } = named("critical-web.json");
    expect(rest).toEqual({
      extra: new Map(),
      id: "653989e52d00001901350001",
      status: "critical",
      severity: "critical",
      startedOnMs: 1_795_564_800_000,
      title: "Service web: 3 hosts not reachable",
      environments: ["production"],
    });
    expect([...tags]).toEqual([
      ["service", ["web"]],
      ["team", ["sre"]],
    ]);
  });

  test("absent and null optional fields are the same", () => {
    const absent = named("no-optional-fields.json");
    const nulls = named("null-optional-fields.json");
    for (const { severity, title, environments, tags } of [absent, nulls]) {
      expect({ severity, title, environments, tags: tags.size }).toEqual({
        severity: null,
        title: null,
        environments: [],
        tags: 0,
      });
    }
  });

  test("numbers, booleans and lists are tag values; repeated pairs add up", () => {
    const tags = named("several-environments.json").tags;
    expect(tags.get("priority")).toEqual(["1"]);
    expect(tags.get("customer_facing")).toEqual(["true"]);
    expect(tags.get("service")).toEqual(["queue", "web"]);
    expect(named("tags-as-pairs.json").tags.get("service")).toEqual(["edge", "web"]);
  });

  test("names of the prototype are just names", () => {
    const incident = named("prototype-names.json");
    expect(incident.id).toBe("653989e52d0000190135000c");
    expect([...incident.tags.keys()]).toEqual(["__proto__", "toString"]);
    const format = { ...FORMAT, paths: { ...FORMAT.paths, id: "toString.name" } };
    expect(decode({ value: asRecord(anIncident()).value }, format)).toMatchObject({
      rejection: { place: "toString.name", rule: "missing" },
    });
  });
});

describe("invalid incidents", () => {
  test("every file has its reason, every reason its file", () => {
    expect(Object.keys(REASONS).toSorted()).toEqual([...invalid.keys()]);
    expect(invalid.size).toBeGreaterThanOrEqual(15);
  });

  test.each([...invalid])("%s is rejected for its one reason", (name, value) => {
    const decoded = decode({ value }, FORMAT);
    const [place, rule] = REASONS[name] ?? ["", "missing"];
    expect(decoded).toMatchObject({
      kind: "rejected",
      rejection: {
        reason: rule === "too-large" ? "oversized" : "undecodable",
        place,
        rule,
      },
    });
    if (decoded.kind !== "rejected") return;
    expect(decoded.rejection.detail).toContain(place);
    expect(decoded.rejection.detail.length).toBeLessThan(300);
  });

  test("the offending value is named, shortened", () => {
    const decoded = decode({ value: invalid.get("too-long-id.json") ?? null }, FORMAT);
    expect(decoded).toMatchObject({
      rejection: { detail: `id is longer than allowed: "${"6".repeat(78)}…` },
    });
  });
});

test("a tombstone is no rejection", () => {
  expect(decode({ value: null }, FORMAT)).toEqual({ kind: "tombstone" });
});

describe("other formats", () => {
  test("the notifications webhook of the vendor", () => {
    const paths = { ...FORMAT.paths, startedOn: "startedOn", tags: "incidentTags" };
    const value = shapes.get("notifications-webhook.json") ?? null;
    const incident = incidentOf(decode({ value }, { ...FORMAT, paths }));
    expect(incident.startedOnMs).toBe(1_795_564_800_000);
    expect(incident.tags.get("assignment")).toEqual(["sre"]);
  });

  test("the incidents API of the vendor", () => {
    const paths = {
      ...FORMAT.paths,
      startedOn: "start",
      environment: "environments",
      tags: "incident_tags",
    };
    const value = shapes.get("incidents-v2.json") ?? null;
    const incident = incidentOf(decode({ value }, { ...FORMAT, paths }));
    expect(incident.environments).toHaveLength(2);
    expect(incident.tags.get("service")).toEqual(["web"]);
  });

  test("an envelope around the incident", () => {
    const format = {
      ...FORMAT,
      paths: { ...FORMAT.paths, id: "body.incident.id", status: "body.event" },
    };
    const value = JSON.stringify({
      ...anIncident(),
      body: { incident: { id: "inner" }, event: "opened" },
    });
    expect(incidentOf(decode(asRecord(value), format))).toMatchObject({
      id: "inner",
      status: "opened",
    });
    const broken = JSON.stringify({ ...anIncident(), body: "text" });
    expect(decode(asRecord(broken), format)).toMatchObject({
      rejection: { place: "body.incident.id", rule: "missing" },
    });
  });

  test.each([
    ["2026-11-25T00:00:00Z", 1_795_564_800_000],
    ["2026-11-25T02:00:00.250+02:00", 1_795_564_800_250],
  ])("ISO 8601 %s", (text, ms) => {
    const format = { ...FORMAT, startedOnUnit: "iso" as const };
    const value = JSON.stringify({ ...anIncident(), started_on: text });
    expect(incidentOf(decode(asRecord(value), format)).startedOnMs).toBe(ms);
  });

  test.each(["2026-11-25T00:00:00", "2026-11-25", "yesterday", "2026-13-45T00:00:00Z"])(
    "%s names no instant",
    (text) => {
      const format = { ...FORMAT, startedOnUnit: "iso" as const };
      const value = JSON.stringify({ ...anIncident(), started_on: text });
      expect(decode(asRecord(value), format)).toMatchObject({
        rejection: { place: "started_on", rule: "not-an-instant" },
      });
    },
  );

  test("seconds under the unit ms are refused, not taken for 1970", () => {
    const format = { ...FORMAT, startedOnUnit: "ms" as const };
    expect(decode(asRecord(anIncident()), format)).toMatchObject({
      rejection: { place: "started_on", rule: "out-of-range" },
    });
  });
});

describe("a start in the future", () => {
  const START_MS = 1_767_225_600_000;
  test.each([
    ["s", START_MS / 1000],
    ["ms", START_MS],
    ["iso", "2026-01-01T00:00:00Z"],
  ] as const)(
    "is taken up to the latest that there may be, and refused beyond, in %s",
    (unit, started_on) => {
      const format = { ...FORMAT, startedOnUnit: unit };
      const record = asRecord(JSON.stringify({ ...anIncident(), started_on }));
      const decoded = decode(record, format, { startedOnMsMax: START_MS });
      expect(incidentOf(decoded).startedOnMs).toBe(START_MS);
      expect(decode(record, format, { startedOnMsMax: START_MS - 1 })).toMatchObject({
        rejection: {
          reason: "undecodable",
          place: "started_on",
          rule: "in-the-future",
          detail: expect.stringContaining("2026-01-01T00:00:00.000Z"),
        },
      });
    },
  );
});

function valueOf(fields: Readonly<Record<string, unknown>>): { readonly value: Uint8Array } {
  return { value: Buffer.from(JSON.stringify({ ...anIncident(), ...fields })) };
}

describe("extra fields", () => {
  const paths = { ...DEFAULT_FORMAT.paths, extra: { owner: "team.owner", priority: "priority" } };
  const format = { ...DEFAULT_FORMAT, paths };

  test("are read by their paths, as texts; an absent one is absent", () => {
    const decoded = decode(valueOf({ team: { owner: ["sre", 7, true] } }), format);
    expect(incidentOf(decoded).extra).toEqual(new Map([["owner", ["sre", "7", "true"]]]));
  });

  test("that have an odd value make the record undecodable when a rule names them", () => {
    const odd = valueOf({ priority: { level: 1 } });
    expect(decode(odd, format)).toMatchObject({
      rejection: { reason: "undecodable", place: "priority", rule: "wrong-type" },
    });
    expect(incidentOf(decode(odd, format, { extraNamed: new Set(["owner"]) })).extra.size).toBe(0);
  });
});
