import { describe, expect, test } from "vitest";
import { verdictOn } from "#e2e/checkers/testing/expect-verdict.ts";
import type { HistoryBuilder } from "#e2e/checkers/testing/history-builder.ts";
import { beginHistory as begin, endHistory as end } from "#e2e/checkers/testing/histories.ts";

/** Returns the verdicts before and after the loss of a log. */
function statusesOf(builder: HistoryBuilder, invariant: string): readonly string[] {
  const { status } = verdictOn(builder, invariant);
  builder.incomplete.set("pod-logs", "the log of pod-a is cut");
  return [status, verdictOn(builder, invariant).status];
}

const neverClaimed = () => {
  const builder = begin();
  builder.publish("i1");
  return end(builder.commit("1"));
};

const inDoubtWithoutLetter = () => {
  const builder = begin();
  const claimed = builder.claim(builder.publish("i1"));
  builder.send(claimed).effect(claimed).orphan(claimed);
  return end(builder.commit("1"));
};

const notApplied = () => {
  const builder = begin();
  const claimed = builder.claim(builder.publish("i1"));
  builder.send(claimed).outcome(claimed, "failed-not-applied");
  return end(builder.commit("1"));
};

describe("where a log is missing", () => {
  // The log may say that the event was too old to begin.
  test.each(["committed-terminal", "every-event-terminal"])(
    "nobody can tell of an action that was never claimed: %s",
    (invariant) => {
      expect(statusesOf(neverClaimed(), invariant)).toEqual(["broken", "unknown"]);
    },
  );

  // The log may say that the late owner found it done.
  test.each(["committed-terminal", "every-event-terminal", "dead-letters-delivered"])(
    "nobody can tell of an attempt in doubt: %s",
    (invariant) => {
      expect(statusesOf(inDoubtWithoutLetter(), invariant)).toEqual(["broken", "unknown"]);
    },
  );

  test.each(["committed-terminal", "every-event-terminal", "dead-letters-delivered"])(
    "what no log explains is broken all the same: %s",
    (invariant) => {
      expect(statusesOf(notApplied(), invariant)).toEqual(["broken", "broken"]);
    },
  );

  test("only a certain finding is reported", () => {
    const builder = begin();
    builder.publish("i1");
    builder.publishPlain(null);
    builder.incomplete.set("pod-logs", "the log of pod-a is cut");
    const { status, findings } = verdictOn(end(builder.commit("2")), "committed-terminal");
    expect(status).toBe("broken");
    expect(findings).toMatchObject([{ message: expect.stringContaining("past offset 1, ") }]);
  });

  test("what holds holds", () => {
    const builder = begin();
    builder.execute(builder.publish("i1"));
    expect(statusesOf(end(builder.commit("1")), "committed-terminal")).toEqual(["holds", "holds"]);
  });
});
