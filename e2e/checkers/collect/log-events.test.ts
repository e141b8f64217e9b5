import { expect, test } from "vitest";
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
    asWritten,
  );
  expect(read).toEqual([
    { kind: "claimed", from: "log", atMs: 1000, pod: POD, ...attempt },
    { kind: "sending", atMs: 1002, pod: POD, ...attempt },
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
    asWritten,
  );
  expect(read).toMatchObject([
    { kind: "ended", attempt: 0, outcome: "rejected", reason: "too-old" },
    { kind: "ended", attempt: 1, outcome: "done", reason: "late" },
  ]);
});

test("the times of a pod whose clock was stepped are turned back, for as long as it was", () => {
  const fault = { kind: "fault", step: 1, fault: "clock.step", pod: POD } as const;
  const clock = podClock([
    { ...fault, atMs: 2000, what: "fired", detail: "500 ms" },
    { ...fault, atMs: 3000, what: "healed", detail: "" },
  ]);
  const read = logEvents(
    log(
      line("history.storage.failed", 1900),
      line("history.storage.failed", 2600),
      line("history.storage.failed", 3100),
    ),
    clock,
  );
  // Both clocks could show the last one: the stepped one counts.
  expect(read.map(({ atMs }) => atMs)).toEqual([1900, 2100, 2600]);
  expect(clock("another", 2600)).toBe(2600);
});
