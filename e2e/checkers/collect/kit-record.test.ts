import { expect, test } from "vitest";
import type { StoredRecord } from "#e2e/brokers/broker.ts";
import { KitRecord } from "./kit-record.ts";
import type { PlannedRecord } from "./kit-record.ts";

const RECORD: PlannedRecord = { key: "i1", value: '{"id":"i1"}', incident: "i1", expected: [] };
const LOST = new Error("the acknowledgement is lost");

const stored = (offset: bigint, more: Partial<StoredRecord> = {}): StoredRecord => ({
  partition: 1,
  offset,
  timestampMs: 0,
  key: RECORD.key,
  value: Buffer.from(String(RECORD.value)),
  headers: {},
  ...more,
});

test("a record has the position that the broker gave it", async () => {
  const kit = new KitRecord();
  const position = await kit.append(RECORD, async () => ({ partition: 1, offset: 7n }));
  expect(position).toEqual({ partition: 1, offset: 7n });
  const place = { topic: "incidents", partition: 1, offset: "7" };
  expect(kit.published("incidents", [stored(7n)])).toEqual({
    events: [
      { kind: "published", atMs: expect.any(Number), ...place, incident: "i1", expected: [] },
    ],
    unknown: [],
  });
});

test("one whose acknowledgement was lost is found in the topic, also when it was appended twice", async () => {
  const kit = new KitRecord();
  await expect(kit.append(RECORD, () => Promise.reject(LOST))).rejects.toBe(LOST);
  expect(kit.unacknowledged).toBe(1);
  expect(kit.published("incidents", []).events).toEqual([]);
  const { events, unknown } = kit.published("incidents", [stored(0n), stored(1n)]);
  expect(events.map(({ offset, incident }) => [offset, incident])).toEqual([
    ["0", "i1"],
    ["1", "i1"],
  ]);
  expect(unknown).toEqual([]);
});

test("the same record keeps what was planned for it each time", async () => {
  const kit = new KitRecord();
  const action = {
    rule: "r",
    action: "a",
    incident: "i1",
    transition: "active",
    startedOnMs: 1000,
  };
  const expected = [{ ...action, idempotent: true, attemptsMax: 1 }];
  await kit.append(RECORD, async () => ({ partition: 1, offset: 0n }));
  await kit.append({ ...RECORD, expected }, async () => ({ partition: 1, offset: 1n }));
  const { events } = kit.published("incidents", [stored(0n), stored(1n)]);
  expect(events.map((event) => event.expected)).toEqual([[], expected]);
});

test("a record that the kit did not append is unknown", async () => {
  const kit = new KitRecord();
  await kit.append(RECORD, async () => ({ partition: 1, offset: 0n }));
  const others = [stored(1n, { key: "i2" }), stored(2n, { value: null }), stored(3n)];
  const { events, unknown } = kit.published("incidents", [stored(0n), ...others]);
  expect(events.map(({ offset }) => offset)).toEqual(["0", "3"]);
  expect(unknown).toEqual(["incidents/1/1", "incidents/1/2"]);
});
