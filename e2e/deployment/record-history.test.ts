import { expect, test } from "vitest";
import { HistoryBuilder } from "#e2e/checkers/testing/history-builder.ts";
import { eventsUntil } from "./record-history.ts";

test("a commit that may depend on an uncounted dead letter is left out", () => {
  const builder = new HistoryBuilder();
  const claimed = builder.claim(builder.publish("i1"));
  builder.orphan(claimed);
  const deadLettersAtMs = builder.nowMs - 5;
  const outcomes = builder.events.filter(({ kind }) => kind === "ended");
  builder.commit("1").podEvent("pod-a", "ready");
  const endMs = builder.nowMs - 5;
  builder.podEvent("pod-a", "unready");
  const seen = eventsUntil(builder.events.toReversed(), { endMs, deadLettersAtMs });
  expect(seen.filter(({ kind }) => kind === "committed")).toEqual([]);
  expect(seen.filter(({ kind }) => kind === "ended")).toEqual(outcomes);
  expect(seen.filter(({ kind }) => kind === "pod")).toMatchObject([{ what: "ready" }]);
  expect(eventsUntil(builder.events, { endMs, deadLettersAtMs: endMs })).toContainEqual(
    expect.objectContaining({ kind: "committed" }),
  );
});
