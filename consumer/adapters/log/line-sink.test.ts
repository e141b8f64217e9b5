import { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createLineSink } from "./line-sink.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** A destination that takes what it gets only when it is told to. */
function createTestBed() {
  const taken: string[] = [];
  const events: string[] = [];
  let answer: ((error?: Error) => void) | undefined;
  let opened = 0;
  const sink = createLineSink({
    bytesMax: 100,
    open: () => {
      opened += 1;
      return new Writable({
        decodeStrings: false,
        write(chunk: string, _encoding, callback) {
          answer = (error) => {
            if (error === undefined) taken.push(chunk);
            callback(error);
          };
        },
      });
    },
    onFailed: (error) => void events.push(`failed: ${String(error)}`),
    onDropped: (lines) => void events.push(`dropped ${String(lines)}`),
    onResumed: (lines) => void events.push(`resumed after ${String(lines)}`),
  });
  const answerAll = async () => {
    for (let given = answer; given !== undefined; given = answer) {
      answer = undefined;
      given();
      await nextTurn();
    }
  };
  const fail = async (message: string) => {
    const given = answer;
    answer = undefined;
    given?.(new Error(message));
    await nextTurn();
  };
  return { sink, taken, events, answerAll, fail, opened: () => opened };
}

const LINE = "123456789\n";

test("a destination that takes nothing costs a bounded memory, and a count of what was dropped", async () => {
  const { sink, taken, events, answerAll } = createTestBed();
  for (let lines = 0; lines < 1000; lines += 1) sink.write(LINE);
  expect(events).toHaveLength(990);
  expect(new Set(events)).toEqual(new Set(["dropped 1"]));
  await answerAll();
  expect(taken).toHaveLength(10);
  expect(events.at(-1)).toBe("resumed after 990");
  sink.write(LINE);
  await answerAll();
  expect(taken).toHaveLength(11);
  expect(events).toHaveLength(991);
});

test("a gap is one gap: nothing is taken before half of the room is free", async () => {
  const { sink, taken, events } = createTestBed();
  for (let lines = 0; lines < 11; lines += 1) sink.write(LINE);
  sink.write("1\n");
  expect(events).toEqual(["dropped 1", "dropped 1"]);
  expect(taken).toEqual([]);
});

test("a destination that failed is told once, opened again, and says what it missed", async () => {
  const { sink, taken, events, answerAll, fail, opened } = createTestBed();
  sink.write(LINE);
  sink.write(LINE);
  await fail("ENOSPC");
  expect(events).toContain("failed: Error: ENOSPC");
  sink.write(LINE);
  await vi.advanceTimersByTimeAsync(5000);
  expect(opened()).toBe(2);
  sink.write(LINE);
  await fail("ENOSPC");
  await vi.advanceTimersByTimeAsync(5000);
  expect(events.filter((event) => event.startsWith("failed"))).toHaveLength(1);
  expect(events.filter((event) => event.startsWith("dropped"))).toHaveLength(4);
  sink.write(LINE);
  await answerAll();
  expect(taken).toEqual([LINE]);
  expect(events.at(-1)).toBe("resumed after 4");
});

test("the end waits for what is on its way, and not for ever", async () => {
  const slow = createTestBed();
  slow.sink.write(LINE);
  let over = false;
  const flushed = slow.sink.flush(1000, false).then(() => (over = true));
  await nextTurn();
  expect(over).toBe(false);
  await slow.answerAll();
  await flushed;

  const stuck = createTestBed();
  stuck.sink.write(LINE);
  const givenUp = stuck.sink.flush(1000, true);
  await vi.advanceTimersByTimeAsync(1000);
  await givenUp;
  stuck.sink.write(LINE);
  expect(stuck.taken).toEqual([]);

  const idle = createTestBed();
  idle.sink.write(LINE);
  await idle.answerAll();
  await idle.sink.flush(1000, true);
  expect(idle.taken).toEqual([LINE]);
});
