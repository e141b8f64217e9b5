import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import { createWatermark } from "./offsets.ts";

/** Growing offsets with gaps, from anywhere, and an order in which their records end. */
const offsetsAndOrder = fc
  .tuple(
    fc.bigInt({ min: 0n, max: 2n ** 62n }),
    fc.array(fc.bigInt({ min: 1n, max: 5n }), { minLength: 1, maxLength: 60 }),
  )
  .map(([start, gaps]) => {
    let next = start;
    return gaps.map((gap) => (next += gap));
  })
  .chain((offsets) => {
    const indexes = [...offsets.keys()];
    const order = { minLength: indexes.length, maxLength: indexes.length };
    return fc.tuple(
      fc.constant(offsets),
      fc.shuffledSubarray(indexes, order),
      fc.bigInt({ min: 0n, max: 3n }),
    );
  });

test("never passes the first record that is not done, and never holds back what is", () => {
  assertCounted(
    fc.property(offsetsAndOrder, ([offsets, order, positionsWithoutRecord]) => {
      const nextOffset = (offsets.at(-1) ?? 0n) + 1n + positionsWithoutRecord;
      const watermark = createWatermark(offsets, nextOffset);
      const done = new Set<number>();
      expect(watermark.committable).toBeUndefined();
      expect(watermark.pending).toBe(offsets.length);
      for (const index of order) {
        watermark.done(index);
        done.add(index);
        const firstOpen = [...offsets.keys()].find((each) => !done.has(each));
        const before = firstOpen === undefined ? nextOffset - 1n : offsets[firstOpen - 1];
        expect(watermark.committable).toBe(before === undefined ? undefined : before + 1n);
        expect(watermark.pending).toBe(offsets.length - done.size);
      }
    }),
  );
});

test("refuses offsets out of order, and a record that is done twice or not there", () => {
  expect(() => createWatermark([7n, 7n], 8n)).toThrow(/offset 7 comes after 7/);
  expect(() => createWatermark([7n, 9n, 8n], 9n)).toThrow(/offset 8 comes after 9/);
  expect(() => createWatermark([7n], 7n)).toThrow(/offset 7 is not before 7/);
  const watermark = createWatermark([7n], 8n);
  expect(() => watermark.done(1)).toThrow(/record 1 is not pending/);
  expect(() => watermark.done(-1)).toThrow(/record -1 is not pending/);
  watermark.done(0);
  expect(() => watermark.done(0)).toThrow(/record 0 is not pending/);
});

test("a batch without records is done at once, up to where the next one begins", () => {
  expect(createWatermark([], 7n)).toMatchObject({ committable: 7n, pending: 0 });
});
