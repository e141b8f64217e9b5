import type { V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { diagnosePods } from "./diagnose-pods.ts";
import type { ContainerEvent, TargetEvent } from "#e2e/targets/target.ts";

const POD: V1Pod = { metadata: { name: "one" }, status: { phase: "Running" } };
const exit = (exitCode: number, container = "app"): ContainerEvent => ({
  kind: "container",
  atMs: 0,
  name: "exit",
  pod: "one",
  container,
  exitCode,
});
const event = (type: TargetEvent["type"], reason: string): TargetEvent => ({
  kind: "event",
  atMs: 0,
  type,
  reason,
  message: `${reason} it is`,
  object: "one",
});

test("shows the exit codes of the app, the last warning and the last error of its log", async () => {
  const logs = {
    now: '{"level":"info","event":"started"}\n',
    previous: '{"level":"error","msg":"old"}\n{"level":"error","msg":"no key"}\n{"level":"info"}\n',
  };
  const diagnosis = await diagnosePods(
    {
      history: () => [exit(0, "splunk"), exit(78), exit(75)],
      events: () => [
        event("Warning", "Failed"),
        event("Warning", "BackOff"),
        event("Normal", "Pulled"),
      ],
      logs: async (_pod, _container, options) =>
        options?.previous === true ? logs.previous : logs.now,
    },
    [POD],
  );
  expect(diagnosis.split("\n     ").slice(1)).toEqual([
    "app exited 78, 75",
    "warning Failed: Failed it is",
    'app said {"level":"error","msg":"no key"}',
  ]);
});

test("shows only the pods while nothing has run or failed", async () => {
  const diagnosis = await diagnosePods(
    { history: () => [], events: () => [], logs: () => Promise.reject(new Error("not running")) },
    [POD],
  );
  expect(diagnosis).toMatch(/^one Running .*restarts=0$/);
});

test("cuts a long line", async () => {
  const diagnosis = await diagnosePods(
    { history: () => [], events: () => [], logs: async () => `Error: ${"x".repeat(5000)}` },
    [POD],
  );
  expect(diagnosis.length).toBeLessThan(500);
});
