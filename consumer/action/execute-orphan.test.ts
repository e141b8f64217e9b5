import { expect, test } from "vitest";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import type { SendResult } from "#consumer/ports.ts";
import { attemptPath } from "#consumer/history/base/layout.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const PLANNED = plannedAction();
const { key: KEY } = PLANNED;

test("an in-doubt that another pod wrote first is not counted again, and its resolution holds", async () => {
  const testBed = createExecutionTestBed(() => new Promise(() => undefined), DONE);
  const { clock, volume, sender, deadLetterReasons } = testBed;
  await using dead = await testBed.start("dead");
  void dead.execute(PLANNED).catch(() => undefined);
  await clock.advance(0);
  const outcome = { outcome: "in-doubt", reason: "orphaned", detail: "by another", atMs: 1 };
  const other = {
    format: 1,
    key: KEY,
    attempt: 1,
    nonce: "f".repeat(32),
    pod: "other",
    ...outcome,
  };
  const word = { format: 1, key: KEY, attempt: 1, as: "done", by: "eve", reason: "seen", atMs: 2 };

  await using pod = await testBed.start("pod", {
    intercept({ operation, path, phase }) {
      if (operation !== "link" || path !== plannedPath("outcome") || phase !== "before") return;
      volume.put(plannedPath("outcome"), JSON.stringify(other));
      volume.put(attemptPath(KEY, 1, "resolution"), JSON.stringify(word));
    },
  });
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", reason: "resolved by eve", endedBefore: true });
  expect(deadLetterReasons()).toEqual([]);
  expect(sender.sends).toHaveLength(1);
  expect(pod.metrics.total("actions", { result: "in-doubt" })).toBe(0);
  expect(pod.log.events()).not.toContain("action.ended");
});

test("one that this pod wrote is its own: counted, and nobody is asked about it", async () => {
  const testBed = createExecutionTestBed(() => new Promise(() => undefined));
  const { clock, deadLetterReasons } = testBed;
  await using dead = await testBed.start("dead");
  void dead.execute(PLANNED).catch(() => undefined);
  await clock.advance(0);
  const asked: string[] = [];
  await using pod = await testBed.start("pod", {
    intercept({ operation, path }) {
      if (operation === "read" && path === attemptPath(KEY, 1, "resolution")) asked.push(path);
    },
  });
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
  expect(pod.metrics.total("actions", { result: "in-doubt" })).toBe(1);
  expect(pod.metrics.total("actions", { result: "duplicate" })).toBe(0);
  expect(asked).toEqual([]);
});
