import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import { actionKey } from "./key.ts";
import type { KeyFields } from "./key.ts";

/** Strings made of what encodings use as separators, lengths and escapes, beside any other. */
const awkward = fc
  .array(
    fc.constantFrom(
      ":",
      ",",
      "\n",
      "\0",
      "|",
      "/",
      "\\",
      '"',
      "[",
      "]",
      "1",
      "2",
      "10",
      "a",
      "é",
      "\u{1f525}",
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join(""));
const text = fc.oneof(awkward, fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }));
const fields: fc.Arbitrary<KeyFields> = fc.record({
  rule: text,
  action: text,
  incidentId: text,
  transition: text,
  startedOnMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
});

const NAMES = ["rule", "action", "incidentId", "transition"] as const;
const EXAMPLE: KeyFields = {
  rule: "restart-web",
  action: "open-ticket",
  incidentId: "653989e52d00001901351684",
  transition: "critical",
  startedOnMs: 1_795_564_800_000,
};

describe("action key", () => {
  test("is 64 hex digits and the same for the same fields", () => {
    assertCounted(
      fc.property(fields, fc.boolean(), (each, dryRun) => {
        const key = actionKey(each, dryRun);
        expect(key).toMatch(/^[0-9a-f]{64}$/);
        expect(actionKey({ ...each }, dryRun)).toBe(key);
      }),
    );
  });

  test("of one incident is the same however many of its others were asked for in between", () => {
    const either = fc.constantFrom("a", "b");
    const near = fc.record({
      each: fc.record({
        rule: either,
        action: either,
        incidentId: fc.constant("653989e52d00001901351684"),
        transition: either,
        startedOnMs: fc.constantFrom(1, 2),
      }),
      dryRun: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(near, { minLength: 1, maxLength: 20 }), (mine) => {
        const first = mine.map(({ each, dryRun }) => actionKey(each, dryRun));
        const again = mine.map(({ each, dryRun }) => actionKey(each, dryRun)).toReversed();
        expect(again).toEqual(first.toReversed());
        const distinct = new Set(mine.map((one) => JSON.stringify(one)));
        expect(new Set(first).size).toBe(distinct.size);
      }),
    );
  });

  test("differs for different fields", () => {
    assertCounted(
      fc.property(fields, fields, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(actionKey(one, false)).not.toBe(actionKey(other, false));
      }),
      { numRuns: 2_000 },
    );
  });

  test("differs when text moves across the border of two fields", () => {
    assertCounted(
      fc.property(
        fields,
        fc.constantFrom([0, 1], [1, 2], [2, 3]),
        awkward,
        (base, [left = 0, right = 1], moved) => {
          const a = NAMES[left] ?? "rule";
          const b = NAMES[right] ?? "action";
          const early = { ...base, [a]: base[a] + moved };
          const late = { ...base, [b]: moved + base[b] };
          expect(actionKey(early, false)).not.toBe(actionKey(late, false));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("differs when one field imitates the encoding of its neighbours", () => {
    const imitation = { ...EXAMPLE, rule: "a,\nb", action: "c" };
    const real = { ...EXAMPLE, rule: "a", action: "b,\nc" };
    expect(actionKey(imitation, false)).not.toBe(actionKey(real, false));
  });

  test("of a dry run is never that of a live run", () => {
    assertCounted(
      fc.property(fields, fields, (one, other) => {
        expect(actionKey(one, true)).not.toBe(actionKey(one, false));
        expect(actionKey(one, true)).not.toBe(actionKey(other, false));
      }),
    );
  });

  test("never changes: a new encoding would let every action happen again", () => {
    expect(actionKey(EXAMPLE, false)).toBe(
      "4d6e1bc29eb5f4a75f3af4cd04ba639ff698836de8cb9c53cff17c78bef8c403",
    );
    expect(actionKey(EXAMPLE, true)).toBe(
      "086a6f431ad438eede22311c4ac1848391a50571e1bf4561677d72ba550ae86a",
    );
  });

  test.each([
    [{ ...EXAMPLE, incidentId: "" }, /incidentId is empty/],
    [{ ...EXAMPLE, transition: "\ud800" }, /transition is empty or not well-formed/],
    [{ ...EXAMPLE, startedOnMs: Number.NaN }, /startedOnMs is no integer: NaN/],
    [{ ...EXAMPLE, startedOnMs: 0.5 }, /startedOnMs is no integer: 0.5/],
  ])("is never made of a missing field", (broken, message) => {
    expect(() => actionKey(broken, false)).toThrow(message);
  });
});
