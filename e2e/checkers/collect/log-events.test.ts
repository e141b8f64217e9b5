import { describe, expect, test } from "vitest";
import { logEvents } from "./log-events.ts";
import { podClock } from "./pod-clock.ts";

const POD = "pod-1";
const at = (ms: number): string => new Date(ms).toISOString();
const line = (event: string, ms: number, fields: object = {}): string =>
  JSON.stringify({ level: "info", time: at(ms), pod: POD, event, ...fields });
const log = (...lines: string[]) => ({
  pod: POD,
  container: "app",
  restart: 0,
  text: lines.join("\n"),
});
const asWritten = (_pod: string, ms: number): number => ms;

test("claims, sends and ends are read with key, attempt and nonce; other lines are left out", () => {
  const attempt = { key: "k", attempt: 2, nonce: "n" };
  const read = logEvents(
    log(
      "app_start: waiting for certificates",
      line("action.claimed", 1000, attempt),
      line("broker.joined", 1001),
      line("action.sending", 1002, attempt),
      line("action.ended", 1003, { ...attempt, outcome: "done", reason: "sent" }),
      line("history.storage.failed", 1004),
      '{"level":"info","time":"1970-01-01T00:00:01.005Z","event":"action.cl',
    ),
    0,
    asWritten,
  );
  expect(read).toEqual([
    { kind: "claimed", from: "log", atMs: 1000, pod: POD, ...attempt, restart: 0 },
    { kind: "sending", atMs: 1002, pod: POD, ...attempt, restart: 0 },
    {
      kind: "ended",
      from: "log",
      atMs: 1003,
      pod: POD,
      ...attempt,
      outcome: "done",
      reason: "sent",
    },
    { kind: "pod", atMs: 1004, pod: POD, what: "storage-failed" },
  ]);
});

test("what was too old to begin is attempt 0, and a late owner has no nonce", () => {
  const read = logEvents(
    log(
      line("action.too-old", 1000, { key: "k" }),
      line("action.late", 1001, { key: "k", attempt: 1, outcome: "done", followed: "in-doubt" }),
    ),
    0,
    asWritten,
  );
  expect(read).toMatchObject([
    { kind: "ended", attempt: 0, outcome: "rejected", reason: "too-old" },
    { kind: "ended", attempt: 1, outcome: "done", reason: "late" },
  ]);
});

describe("a pod whose clock was stepped", () => {
  const fault = { kind: "fault", step: 1, fault: "clock.step", pod: POD } as const;
  const stepped = (offsetMs: number) =>
    podClock([
      { ...fault, atMs: 2000, what: "fired", detail: `${offsetMs} ms, as its process says` },
      { ...fault, atMs: 3000, what: "healed", detail: "" },
    ]);
  const timesOf = (offsetMs: number, ...written: number[]): number[] =>
    logEvents(
      log(...written.map((ms) => line("history.storage.failed", ms))),
      1000,
      stepped(offsetMs),
    ).map(({ atMs }) => atMs);

  test.each([500, -500, 30_000, -30_000])(
    "%d ms: its times are turned back for as long as it was",
    (offsetMs) => {
      const written = [1900, 2100 + offsetMs, 2900 + offsetMs, 3100, 3200];
      expect(timesOf(offsetMs, ...written)).toEqual([1900, 2100, 2900, 3100, 3200]);
    },
  );

  test("what both clocks could show is the first that comes after the line before", () => {
    expect(timesOf(10_000, 12_500, 12_900)).toEqual([2500, 2900]);
    // The process was started after the step, and showed the same time as the stepped clock.
    const late = log(line("history.storage.failed", 12_500));
    expect(logEvents(late, 12_400, stepped(10_000)).map(({ atMs }) => atMs)).toEqual([12_500]);
  });

  test("a line between the step and its report counts as stepped, and so do later lines", () => {
    expect(timesOf(300_000, 1900, 301_990, 302_500, 3100)).toEqual([1900, 1990, 2500, 3100]);
  });

  test("other pods are left as they are", () => {
    expect(stepped(500)("another", 2600, 0)).toBe(2600);
  });
});
