import { expect, test } from "vitest";
import { isCut, timeOfEvent, untilTime } from "./run-log.ts";

const line = (atMs: number, event: string, fields = {}): string =>
  JSON.stringify({ time: new Date(atMs).toISOString(), event, ...fields });

const log = (...lines: string[]) => ({
  pod: "p",
  container: "app",
  restart: 0,
  text: lines.join("\n"),
});

test("the first event with the given fields is found, and lines that are not JSON are ignored", () => {
  const text = ["app_start: waiting", line(1, "a", { state: "x" }), line(2, "a"), '{"event":"b"'];
  expect(timeOfEvent(log(...text), "a")).toBe(1);
  expect(timeOfEvent(log(...text), "a", { state: "y" })).toBeUndefined();
  expect(timeOfEvent(log(...text), "b")).toBeUndefined();
  expect(timeOfEvent(undefined, "a")).toBeUndefined();
});

test("lines that were printed later are left out", () => {
  const text = [line(1, "a"), "no JSON", line(3, "b"), line(2, "c")].join("\n");
  expect(untilTime(text, 2)).toBe([line(1, "a"), "no JSON"].join("\n"));
  expect(untilTime(text, 3)).toBe(text);
});

test.each([
  ["failed to create fsnotify watcher: too many open files", true],
  ["(the log ends here: Error: socket hang up)", true],
  ["(the log ends here: AbortError: The operation was aborted)", false],
  ["app_start: the certificates are there", false],
])("cut before its container ended: %s: %s", (last, expected) => {
  expect(isCut(log(line(1, "a"), last))).toBe(expected);
});
