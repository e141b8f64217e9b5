import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import { APART_MS, inOrder } from "./order.ts";
import type { Moment } from "./order.ts";

/** Generates the moments of a regular life, each with the delay with which it was noticed. */
const lives = fc
  .array(fc.tuple(fc.nat(60_000), fc.nat(APART_MS)), { minLength: 1, maxLength: 12 })
  .map((drawn) => {
    const times = drawn.map(([atMs]) => atMs).toSorted((left, right) => left - right);
    const expected = times.map((_, rank) => `w${rank}`);
    const moments = times.map((atMs, rank): Moment => {
      const lateMs = drawn[rank]?.[1] ?? 0;
      return { atMs: atMs + lateMs, rank, words: `w${rank}` };
    });
    return { expected, moments };
  });

test("a regular life comes out the same, however late and in whatever order its moments were seen", () => {
  assertCounted(
    fc.property(lives, fc.infiniteStream(fc.nat()), ({ expected, moments }, keys) => {
      const shuffled = moments
        .map((moment) => ({ moment, key: keys.next().value }))
        .toSorted((left, right) => left.key - right.key)
        .map(({ moment }) => moment);
      expect(inOrder(shuffled)).toEqual(expected);
    }),
  );
});

test("moments that were seen further apart keep their order, whatever their rank", () => {
  assertCounted(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 1 }),
      fc.infiniteStream(fc.nat(9)),
      (steps, ranks) => {
        const moments = steps.map((step): Moment => ({
          atMs: step * (APART_MS + 1),
          rank: ranks.next().value,
          words: String(step),
        }));
        const expected = steps.toSorted((left, right) => left - right).map(String);
        expect(inOrder(moments)).toEqual(expected);
      },
    ),
  );
});

const moment = (atMs: number, words: string): Moment => ({ atMs, rank: 1, words });

test("moments of the same rank are ordered by time", () => {
  expect(inOrder([moment(20, "SIGKILL"), moment(10, "SIGTERM")])).toEqual(["SIGTERM", "SIGKILL"]);
});
