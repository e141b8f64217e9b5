import { createRecordsBatch } from "@platformatic/kafka";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { PartitionLog } from "#simulator/kafka/topics/partition-log.ts";
import { readRecords } from "#simulator/kafka/topics/read-records.ts";
import { markerBatch } from "#simulator/kafka/wire/control-batch.ts";
import { parseBatch } from "#simulator/kafka/wire/record-batch.ts";

/** A step of some producer on the one partition. Producer 0 writes without transactions. */
type Step =
  | { readonly do: "write"; readonly producer: number }
  | { readonly do: "commit" | "abort"; readonly producer: number };

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom("write", "write", "commit", "abort"),
  producer: fc.nat({ max: 3 }),
});

const batch = (value: string, producer: number) =>
  parseBatch(
    Buffer.from(
      createRecordsBatch(
        [{ topic: "t", value: Buffer.from(value), timestamp: 1n }],
        producer === 0
          ? {}
          : { transactionalId: "x", producerId: BigInt(producer), producerEpoch: 0 },
      ).buffer,
    ),
  );

/**
 * The model: values in order, each with the outcome of its transaction, which is undefined while
 * that is open.
 */
interface Written {
  readonly value: string;
  readonly producer: number;
  committed: boolean | undefined;
}

function run(steps: readonly Step[]) {
  const log = new PartitionLog();
  const written: Written[] = [];
  let stableBefore = 0n;
  for (const [index, { do: action, producer }] of steps.entries()) {
    if (action === "write") {
      const value = `v${index}`;
      log.append(batch(value, producer), 0);
      written.push({ value, producer, committed: producer === 0 ? true : undefined });
    } else if (producer !== 0) {
      const committed = action === "commit";
      log.append(markerBatch({ producerId: BigInt(producer), producerEpoch: 0, committed }, 1), 0);
      for (const one of written) {
        if (one.producer === producer) one.committed ??= committed;
      }
    }
    expect(log.lastStableOffset).toBeGreaterThanOrEqual(stableBefore);
    stableBefore = log.lastStableOffset;
  }
  return { log, written };
}

test("whatever producers do, readers see committed records in order, up to the first open transaction", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { log, written } = run(steps);
      const open = written.findIndex(({ committed }) => committed === undefined);
      const decided = open === -1 ? written : written.slice(0, open);
      const expected = decided.filter(({ committed }) => committed).map(({ value }) => value);
      const read = readRecords(log, "read_committed").map(({ value }) => String(value));
      expect(read).toEqual(expected);
      expect(readRecords(log)).toHaveLength(written.length);
      expect(log.lastStableOffset === log.endOffset).toBe(open === -1);
    }),
    { numRuns: 500 },
  );
});

test("every abort that a reader needs is reported, whatever range it reads", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.nat({ max: 40 }),
      fc.nat({ max: 40 }),
      (steps, a, b) => {
        const { log } = run(steps);
        const [from, to] = [BigInt(Math.min(a, b)), BigInt(Math.max(a, b))];
        const all = log.transactions.abortedBetween(0n, log.endOffset);
        const named = log.transactions.abortedBetween(from, to);
        for (const aborted of all) {
          const isInside = aborted.lastOffset >= from && aborted.firstOffset < to;
          expect(named.includes(aborted)).toBe(isInside);
        }
      },
    ),
  );
});
