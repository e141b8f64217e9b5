import { expect, test } from "vitest";
import type { ProtocolEvent } from "./protocol-event.ts";
import { ProtocolHistory } from "./protocol-history.ts";

const fetched = (offset: number): ProtocolEvent => ({
  type: "records-fetched",
  atMs: offset,
  node: 1,
  clientId: "pod-a",
  topic: "t",
  partition: 0,
  offset: BigInt(offset),
  nextOffset: BigInt(offset + 1),
});

const atsOf = (events: readonly ProtocolEvent[]) => events.map(({ atMs }) => atMs);

test("tells everything once, from the number that was asked after", () => {
  const history = new ProtocolHistory(10);
  for (const offset of [1, 2, 3]) history.add(fetched(offset));
  const first = history.after(0);
  expect(first).toEqual({ events: [1, 2, 3].map(fetched), last: 3, missed: 0 });
  expect(history.after(first.last)).toEqual({ events: [], last: 3, missed: 0 });
  history.add(fetched(4));
  expect(history.after(first.last)).toEqual({ events: [fetched(4)], last: 4, missed: 0 });
});

test("keeps the latest and says how many are missing", () => {
  const history = new ProtocolHistory(10);
  for (let offset = 1; offset <= 25; offset += 1) history.add(fetched(offset));
  const { events, last, missed } = history.after(0);
  expect(last).toBe(25);
  expect(missed).toBeGreaterThan(0);
  expect(events.length + missed).toBe(25);
  expect(events.length).toBeLessThanOrEqual(10);
  expect(atsOf(events).at(-1)).toBe(25);
  expect(history.after(missed)).toEqual({ events, last: 25, missed: 0 });
});

test("gives pages that can travel, and the last one is whole", () => {
  const history = new ProtocolHistory(100_000);
  for (let offset = 1; offset <= 25_000; offset += 1) history.add(fetched(offset));
  const seen: number[] = [];
  const sizes: number[] = [];
  for (let after = 0; ;) {
    const { events, last } = history.after(after);
    if (events.length === 0) break;
    sizes.push(events.length);
    seen.push(...atsOf(events));
    after = last;
  }
  expect(sizes).toEqual([10_000, 10_000, 5000]);
  expect(seen).toEqual(Array.from({ length: 25_000 }, (_, index) => index + 1));
});

test("refuses whoever asks where nothing is recorded", () => {
  const history = new ProtocolHistory(0);
  history.add(fetched(1));
  expect(() => history.after(0)).toThrow(
    new RangeError("the history of the protocol is not recorded: protocolEventsMax is 0"),
  );
});
