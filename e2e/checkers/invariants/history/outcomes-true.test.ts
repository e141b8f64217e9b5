import { expect, test } from "vitest";
import { findingsOn } from "#e2e/checkers/testing/expect-verdict.ts";
import { beginHistory as begin, endHistory as end } from "#e2e/checkers/testing/histories.ts";
import type { HistoryBuilder } from "#e2e/checkers/testing/history-builder.ts";

const findings = (builder: HistoryBuilder): readonly string[] =>
  findingsOn(end(builder.commit("1")), "outcomes-true");

const hadAnEffect = (outcome: string) =>
  expect.stringMatching(new RegExp(`^attempt 1 of .* ended ${outcome} .*, and had an effect at `));

test("what was called not applied had an effect, and was repeated", () => {
  const builder = begin();
  const action = builder.publish("i1");
  const first = builder.claim(action);
  builder.send(first).effect(first).outcome(first, "failed-not-applied");
  builder.execute(action, { attempt: 2 });
  expect(findings(builder)).toEqual([hadAnEffect("failed-not-applied")]);
});

test("what was called rejected had an effect", () => {
  const builder = begin();
  const claimed = builder.claim(builder.publish("i1"));
  builder
    .send(claimed)
    .effect(claimed)
    .outcome(claimed, "rejected")
    .deadLetter(claimed, "rejected");
  expect(findings(builder)).toEqual([hadAnEffect("rejected")]);
});

test("a late owner says not applied, and there was an effect", () => {
  const builder = begin();
  const claimed = builder.claim(builder.publish("i1"));
  builder.send(claimed).orphan(claimed).deadLetter(claimed).effect(claimed);
  expect(findings(builder.late(claimed, "failed-not-applied"))).toEqual([
    hadAnEffect("failed-not-applied"),
  ]);
});

test("a late owner says done without an effect", () => {
  const builder = begin();
  const claimed = builder.claim(builder.publish("i1"));
  builder.send(claimed).orphan(claimed).deadLetter(claimed);
  expect(findings(builder.late(claimed, "done"))).toEqual([
    expect.stringMatching(/^attempt 1 of .* ended done at .*, and had no effect$/),
  ]);
});

test("what was in doubt may have had an effect or none", () => {
  const builder = begin();
  const one = builder.claim(builder.publish("i1"));
  builder.send(one).effect(one).outcome(one, "in-doubt").deadLetter(one);
  const other = builder.claim(builder.publish("i2"));
  builder.send(other).outcome(other, "in-doubt").deadLetter(other);
  expect(findings(builder)).toEqual([]);
});
