import { describe, expect, test } from "vitest";
import { anIncident, asRecord } from "#fixtures/incidents.ts";
import { benchPipeline, DONE_RESULT } from "#fixtures/consumer/pipeline.ts";
import type { PipelineBench } from "#fixtures/consumer/pipeline.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { SourceRecord } from "#consumer/ports.ts";

/** A critical incident at an offset; id "a" unless told. */
const record = (offset: bigint, id = "a"): SourceRecord => asRecord(anIncident({ id }), { offset });

const committed = ({ broker }: PipelineBench): bigint[] =>
  broker.commits.map(({ nextOffset }) => nextOffset);

const poison = (offset: bigint): SourceRecord => asRecord("?", { offset });

/** The topic of dead letters refuses until the result is called. */
function refuse({ broker }: PipelineBench): () => void {
  let refusing = true;
  broker.onPublish(async () => {
    if (refusing) throw new ConsumerError("broker-denied", "no right to the topic");
  });
  return () => void (refusing = false);
}

describe("a batch of which only dead letters are left", () => {
  test("lets the next one go on after a while, whose commit waits for it", async () => {
    const it = benchPipeline({ execute: async () => DONE_RESULT });
    const allow = refuse(it);
    await it.clock.runUntil(it.broker.deliver([record(0n), poison(1n)]));
    await it.clock.runUntil(it.broker.deliver([record(2n, "b")]));
    await it.clock.advance(10_000);
    expect(committed(it)).toEqual([1n]);
    allow();
    await it.clock.advance(10_000);
    expect(committed(it)).toEqual([1n, 2n, 3n]);
  });

  test("is waited for when more would be open than may be", async () => {
    const it = benchPipeline({ execute: async () => DONE_RESULT, recordsInFlightMax: 3 });
    const allow = refuse(it);
    await it.clock.runUntil(it.broker.deliver([poison(0n), poison(1n)]));
    let ended = false;
    const second = it.broker.deliver([record(2n), record(3n)]).finally(() => (ended = true));
    await it.clock.advance(60_000);
    expect(ended).toBe(false);
    allow();
    await it.clock.runUntil(second);
    expect(committed(it)).toEqual([2n, 4n]);
    // There is room again.
    await it.clock.runUntil(it.broker.deliver([poison(4n), record(5n)]));
    expect(committed(it)).toEqual([2n, 4n, 6n]);
  });

  test("leaves nothing to be committed once its partition is lost", async () => {
    const it = benchPipeline({ execute: async () => DONE_RESULT });
    const allow = refuse(it);
    await it.clock.runUntil(it.broker.deliver([poison(0n)]));
    await it.clock.runUntil(it.broker.deliver([record(1n)]));
    it.broker.rebalance();
    allow();
    await it.clock.advance(10_000);
    expect(committed(it)).toEqual([]);
    expect(it.broker.refused).toEqual([]);
    expect(it.broker.published).toEqual([]);
    // The next assignment begins anew.
    await it.clock.runUntil(it.broker.deliver([poison(0n), record(1n)]));
    expect(committed(it)).toEqual([2n]);
    expect(it.fatal).toEqual([]);
  });

  test("is given up when what it waits for may not be committed any more", async () => {
    const it = benchPipeline({ execute: async () => DONE_RESULT });
    const allow = refuse(it);
    await it.clock.runUntil(it.broker.deliver([poison(0n)]));
    await it.clock.runUntil(it.broker.deliver([record(1n)]));
    it.broker.onCommit(async () => {
      throw new ConsumerError("assignment-lost", "another member has it");
    });
    allow();
    await it.clock.advance(10_000);
    expect(it.log.lines.map(({ event }) => event)).not.toContain("commit.failed");
    expect(it.fatal).toEqual([]);
    expect(committed(it)).toEqual([]);
  });

  test("tries its last commit again when the broker does not answer", async () => {
    const it = benchPipeline({ execute: async () => DONE_RESULT });
    const allow = refuse(it);
    await it.clock.runUntil(it.broker.deliver([poison(0n)]));
    let failures = 2;
    it.broker.onCommit(async () => {
      failures -= 1;
      if (failures >= 0) throw new ConsumerError("broker-unavailable", "no coordinator");
    });
    allow();
    await it.clock.advance(10_000);
    expect(committed(it)).toEqual([1n]);
    expect(it.fatal).toEqual([]);
  });
});
