import { expect, test } from "vitest";
import type { Config } from "#consumer/config/load-config.ts";
import { DEFAULT_FORMAT } from "#fixtures/incidents.ts";
import { shiftIncidents } from "./shift-incidents.ts";

const NOW_MS = Date.UTC(2026, 5, 1, 12, 0, 0, 250);
const { paths } = DEFAULT_FORMAT;

function shift(values: readonly unknown[], change: Partial<Config["incident"]> = {}) {
  const incident: Config["incident"] = {
    paths: { ...paths, extra: {} },
    startedOnUnit: "s",
    ...change,
  };
  const records = values.map((value, index) => ({
    place: `file:${index + 1}`,
    value: value === null ? null : new TextEncoder().encode(JSON.stringify(value)),
    timestampMs: undefined,
  }));
  const shifted = shiftIncidents(records, { incident, rules: [] }, NOW_MS);
  return shifted.map(({ place, incident: id, value }) => ({
    place,
    incident: id,
    value: value === null ? null : (JSON.parse(new TextDecoder().decode(value)) as unknown),
  }));
}

test("the latest incident starts now, and the distances stay", () => {
  const shifted = shift([
    { id: "a", status: "critical", started_on: 1_700_000_000, other: { kept: [1] } },
    { id: "b", status: "critical", started_on: 1_700_000_090 },
  ]);
  const nowSeconds = Math.floor(NOW_MS / 1000);
  expect(shifted).toEqual([
    {
      place: "file:1",
      incident: "a",
      value: { id: "a", status: "critical", started_on: nowSeconds - 90, other: { kept: [1] } },
    },
    {
      place: "file:2",
      incident: "b",
      value: { id: "b", status: "critical", started_on: nowSeconds },
    },
  ]);
});

test("incidents of the future come back", () => {
  const [found] = shift([{ id: "a", status: "x", started_on: 4_000_000_000 }]);
  expect(found?.value).toMatchObject({ started_on: Math.floor(NOW_MS / 1000) });
});

test.each([
  ["ms", 1_700_000_000_123, Math.floor(NOW_MS / 1000) * 1000 - 1000 + 123],
  ["iso", "2023-11-14T22:13:20.123+01:00", "2026-06-01T11:59:59.123Z"],
] as const)("the unit %s keeps its fraction of a second", (startedOnUnit, start, expected) => {
  const format = {
    startedOnUnit,
    paths: { ...paths, startedOn: "times.start", extra: {} },
  };
  const early = startedOnUnit === "ms" ? 1_700_000_001_000 : "2023-11-14T22:13:21+01:00";
  const [found] = shift(
    [
      { id: "a", status: "x", times: { start } },
      { id: "b", status: "x", times: { start: early } },
    ],
    format,
  );
  expect(found?.value).toEqual({ id: "a", status: "x", times: { start: expected } });
});

test("what is no incident stays as it is", () => {
  const values = [null, { id: 7, started_on: 1_700_000_000 }, [1], { id: "a", status: "x" }];
  expect(shift(values)).toEqual(
    values.map((value, index) => ({ place: `file:${index + 1}`, incident: null, value })),
  );
});
