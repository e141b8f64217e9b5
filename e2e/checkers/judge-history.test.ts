import { describe, expect, test } from "vitest";
import type { Checker } from "./checker.ts";
import { judgeHistory } from "./judge-history.ts";
import { HistoryBuilder } from "./testing/history-builder.ts";
import { findFailedVerdicts } from "./testing/expect-verdict.ts";

const checker = (more: Partial<Checker> = {}): Checker => ({
  name: "nothing-breaks",
  title: "Nothing breaks.",
  kind: "safety",
  needs: ["effects", "commits"],
  check: () => [],
  ...more,
});

const verdictOf = (builder: HistoryBuilder, more: Partial<Checker> = {}) =>
  judgeHistory(builder.history(), [checker(more)]).verdicts[0];

const finding = () => [{ message: "key x had two effects", events: [1, 2] }];
const throwing = (): never => {
  throw new TypeError("no such field");
};

/** Returns one record that is executed and committed. */
const good = (): HistoryBuilder => {
  const builder = new HistoryBuilder();
  const action = builder.publish("i1");
  builder
    .podEvent("pod-a", "started")
    .assign({ "pod-a": [0] })
    .deliver("0", "1");
  builder.execute(action);
  builder.commit("1").mark("healed").mark("converged");
  return builder;
};

describe("judging a history", () => {
  test("a checker without findings holds, one with findings is broken", () => {
    expect(verdictOf(new HistoryBuilder())).toEqual({
      invariant: "nothing-breaks",
      title: "Nothing breaks.",
      status: "holds",
      findings: [],
    });
    const verdict = verdictOf(new HistoryBuilder(), { check: finding });
    expect(verdict).toMatchObject({ status: "broken", findings: finding() });
    expect(verdict).not.toHaveProperty("reason");
  });

  test("lacking evidence leaves an invariant not judged, with the ability that is lacking", () => {
    const builder = new HistoryBuilder();
    builder.lacking.set("commits", "broker.commit-events");
    expect(verdictOf(builder, { check: finding })).toMatchObject({
      status: "not-judged",
      reason: "commits: broker.commit-events",
      findings: [],
    });
    expect(verdictOf(builder, { needs: ["effects"] })).toMatchObject({ status: "holds" });
  });

  test("evidence that is short leaves it unknown, and what is lacking comes first", () => {
    const builder = new HistoryBuilder();
    builder.incomplete.set("effects", "the ledger was cut");
    expect(verdictOf(builder)).toMatchObject({
      status: "unknown",
      reason: "effects: the ledger was cut",
    });
    builder.lacking.set("commits", "broker.commit-events");
    expect(verdictOf(builder)).toMatchObject({ status: "not-judged" });
  });

  test("a checker that throws leaves its invariant unknown, and the others are judged", () => {
    const builder = new HistoryBuilder();
    const { verdicts } = judgeHistory(builder.history(), [
      checker({ check: throwing }),
      checker({ name: "b" }),
    ]);
    expect(verdicts.map(({ status, reason }) => ({ status, reason }))).toEqual([
      { status: "unknown", reason: "the checker failed: no such field" },
      { status: "holds", reason: undefined },
    ]);
  });

  test("liveness is judged only after the mark converged, and safety always", () => {
    const builder = new HistoryBuilder().mark("healed");
    expect(verdictOf(builder, { kind: "liveness", check: finding })).toMatchObject({
      status: "not-judged",
      reason: expect.stringContaining("converged"),
    });
    expect(verdictOf(builder, { check: finding })).toMatchObject({ status: "broken" });
    builder.mark("converged");
    expect(verdictOf(builder, { kind: "liveness", check: finding })).toMatchObject({
      status: "broken",
    });
  });

  test("a history that cannot be read leaves everything unknown", () => {
    const builder = new HistoryBuilder();
    builder.publish("i1");
    const history = builder.history();
    const broken = { ...history, events: [...history.events, JSON.parse("null")] };
    const { verdicts } = judgeHistory(broken, [checker()]);
    expect(verdicts[0]).toMatchObject({
      status: "unknown",
      reason: expect.stringContaining("the history cannot be read: "),
    });
  });
});

describe("events that are missing", () => {
  test("none of a good history: everything holds", () => {
    expect(findFailedVerdicts(good())).toEqual({});
  });

  test("a delivery of records that were never published makes published unknown", () => {
    const builder = good().deliver("1", "3");
    expect(verdictOf(builder, { needs: ["published"] })).toMatchObject({
      status: "unknown",
      reason:
        "published: the broker delivered incidents/0 up to offset 3 at 0.130 s, and what was published ends at 1",
    });
    expect(verdictOf(builder, { needs: ["effects"] })).toMatchObject({ status: "holds" });
  });

  test("a delivery from a partition of which nothing is known to be published does so too", () => {
    const builder = good().deliver("0", "2", { partition: 1 });
    expect(verdictOf(builder, { needs: ["published"] })).toMatchObject({
      status: "unknown",
      reason: expect.stringMatching(/incidents\/1 up to offset 2 .* ends at 0$/),
    });
  });

  test("commits of a group without any generation make assignments unknown", () => {
    const builder = good();
    const events = builder.events.filter(({ kind }) => kind !== "assigned");
    builder.events.splice(0, Number.POSITIVE_INFINITY, ...events);
    expect(verdictOf(builder, { needs: ["assignments"] })).toMatchObject({
      status: "unknown",
      reason: expect.stringContaining("group consumers committed at "),
    });
  });

  test("a claim that a log does not have, of a process that ended with code 0, makes the logs unknown", () => {
    const builder = good();
    const claimed = builder.claim(builder.publish("i2"));
    const events = builder.events.filter(
      (event) =>
        !(event.kind === "claimed" && event.from === "log" && event.nonce === claimed.nonce),
    );
    builder.events.splice(0, Number.POSITIVE_INFINITY, ...events);
    const needs = ["pod-logs"] as const;
    expect(verdictOf(builder, { needs })).toMatchObject({ status: "holds" });
    builder.podEvent("pod-a", "exit", { exitCode: 0 });
    expect(verdictOf(builder, { needs })).toMatchObject({
      status: "unknown",
      reason: expect.stringContaining(`pod-a claimed attempt 1 of ${claimed.action.key} at `),
    });
  });

  test("a killed process may take its last lines with it", () => {
    const builder = good();
    const claimed = builder.claim(builder.publish("i2"));
    const events = builder.events.filter(
      (event) => !(event.kind === "claimed" && event.from === "log"),
    );
    builder.events.splice(0, Number.POSITIVE_INFINITY, ...events);
    builder.podEvent("pod-a", "exit", { exitCode: 137 });
    expect(claimed.attempt).toBe(1);
    expect(verdictOf(builder, { needs: ["pod-logs"] })).toMatchObject({ status: "holds" });
  });
});
