import { expect, test } from "vitest";
import { findingsOn } from "#e2e/checkers/testing/expect-verdict.ts";
import { beginHistory as begin } from "#e2e/checkers/testing/histories.ts";

test("a container that was started again sends what the process before it had claimed", () => {
  const builder = begin();
  const claimed = builder.claim(builder.publish("i1"));
  builder.podEvent("pod-a", "exit", { exitCode: 137 }).podEvent("pod-a", "started");
  const again = { ...claimed, restart: 1 };
  builder.send(again).effect(again).outcome(again, "done").commit("1");
  expect(findingsOn(builder, "sent-by-claimant")).toEqual([
    expect.stringMatching(
      /^pod-a sent attempt 1 .*, and another run of its container had claimed it/,
    ),
  ]);
});

test("a container that was started again sends what it claims itself", () => {
  const builder = begin();
  builder.podEvent("pod-a", "exit", { exitCode: 137 }).podEvent("pod-a", "started");
  const claimed = builder.claim(builder.publish("i1"), { restart: 1 });
  builder.send(claimed).effect(claimed).outcome(claimed, "done").commit("1");
  expect(findingsOn(builder, "sent-by-claimant")).toEqual([]);
});
