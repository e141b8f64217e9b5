import { assertCounted } from "#fixtures/properties.ts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judgeHistory } from "#e2e/checkers/judge-history.ts";
import { choicesOf } from "#e2e/checkers/testing/choices.ts";
import { findFailedVerdicts } from "#e2e/checkers/testing/expect-verdict.ts";
import { mutate } from "#e2e/checkers/testing/mutation.ts";
import { MUTATIONS } from "#e2e/checkers/testing/mutations.ts";
import { writeGoodHistory } from "#e2e/checkers/testing/write-good-history.ts";
import { CHECKERS } from "./index.ts";

const NUMBERS = fc.array(fc.nat(1000), { maxLength: 200, size: "max" });
const RECORDS = fc.integer({ min: 1, max: 12 });

test("whatever happens in a run in which everything is right, every invariant holds", () => {
  assertCounted(
    fc.property(RECORDS, NUMBERS, (records, numbers) => {
      const builder = writeGoodHistory({ records, choose: choicesOf(numbers) });
      expect(findFailedVerdicts(builder)).toEqual({});
    }),
    { numRuns: 300 },
  );
});

describe("one thing that is wrong in such a run is found", () => {
  test.each(MUTATIONS)("$invariant: $what", (mutation) => {
    const { invariant, says = ["broken"] } = mutation;
    const checkers = CHECKERS.filter(({ name }) => name === invariant);
    assertCounted(
      fc.property(RECORDS, NUMBERS, fc.array(fc.nat(1000)), (records, numbers, places) => {
        const good = writeGoodHistory({ records, choose: choicesOf(numbers) }).history();
        const bad = mutate(good, mutation, choicesOf(places));
        // fast-check fails when too few histories can be changed in this way.
        fc.pre(bad !== undefined);
        const [verdict] = judgeHistory(bad, checkers).verdicts;
        expect(says).toContain(verdict?.status);
      }),
      { numRuns: 40 },
    );
  });

  test("there is such a change for every checker of events", () => {
    const tried = new Set(MUTATIONS.map(({ invariant }) => invariant));
    // The findings of these invariants come with the history.
    const given = new Set(["contract-file-parses", "claim-files-whole"]);
    const judged = CHECKERS.map(({ name }) => name).filter((name) => !given.has(name));
    expect(judged.filter((name) => !tried.has(name))).toEqual([]);
  });
});
