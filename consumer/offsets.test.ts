import * as fc from "fast-check";
import { expect, test } from "vitest";
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
  .chain((offsets) =>
    fc.tuple(
      fc.constant(offsets),
      fc.shuffledSubarray(offsets, { minLength: offsets.length, maxLength: offsets.length }),
    ),
  );

test("never passes the first record that is not done, and never holds back what is", () => {
  fc.assert(
    fc.property(offsetsAndOrder, ([offsets, order]) => {
      const watermark = createWatermark();
      for (const offset of offsets) watermark.add(offset);
      const done = new Set<bigint>();
      for (const offset of order) {
        watermark.done(offset);
        done.add(offset);
        const firstOpen = offsets.findIndex((each) => !done.has(each));
        const before = firstOpen === -1 ? offsets.at(-1) : offsets[firstOpen - 1];
        expect(watermark.committable).toBe(before === undefined ? undefined : before + 1n);
        expect(watermark.pending).toBe(offsets.length - done.size);
      }
    }),
  );
});

test("grows only, while records are added and end in between", () => {
  fc.assert(
    fc.property(offsetsAndOrder, fc.infiniteStream(fc.boolean()), ([offsets], turns) => {
      const watermark = createWatermark();
      const open: bigint[] = [];
      let highest = -1n;
      for (const offset of offsets) {
        watermark.add(offset);
        open.push(offset);
        if (turns.next().value === true) {
          const ended = turns.next().value === true ? open.shift() : open.pop();
          if (ended !== undefined) watermark.done(ended);
        }
        const now = watermark.committable ?? -1n;
        expect(now).toBeGreaterThanOrEqual(highest);
        highest = now;
        expect(now).toBeLessThanOrEqual(open[0] ?? offset + 1n);
      }
    }),
  );
});

test("refuses an offset out of order, twice done or never added", () => {
  const watermark = createWatermark();
  watermark.add(7n);
  expect(() => watermark.add(7n)).toThrow(/offset 7 comes after 7/);
  expect(() => watermark.done(6n)).toThrow(/offset 6 is not pending/);
  watermark.done(7n);
  expect(() => watermark.done(7n)).toThrow(/offset 7 is not pending/);
});
