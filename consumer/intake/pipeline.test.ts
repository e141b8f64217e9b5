import { setImmediate as nextTurn } from "node:timers/promises";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import type { ManualClock } from "#fixtures/ports/clock.ts";
import { anIncident, asRecord } from "#fixtures/incidents.ts";
import { benchPipeline, HTTP, RULE, DONE_RESULT } from "#fixtures/consumer/pipeline.ts";
import type { PipelineBench } from "#fixtures/consumer/pipeline.ts";
import { assertCounted } from "#fixtures/properties.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { Executor } from "#consumer/action/types.ts";
import type { SourceRecord } from "#consumer/ports.ts";

const LOST = new ConsumerError("assignment-lost", "the executor saw it first");

/** A critical incident at an offset; id "a" unless told. */
const record = (offset: bigint, id = "a", severity = "critical"): SourceRecord =>
  asRecord(anIncident({ id, severity }), { offset });

const committed = ({ broker }: PipelineBench): bigint[] =>
  broker.commits.map(({ nextOffset }) => nextOffset);

/** Every look at it costs as much as a record at the size limit may take. */
function slowClock(): ManualClock {
  const clock = createManualClock();
  let spentMs = 0;
  return { ...clock, monotonicMs: () => clock.monotonicMs() + (spentMs += 20) };
}

/** Its result is looked at later. */
function handled<Result>(promise: Promise<Result>): Promise<Result> {
  void promise.catch(() => undefined);
  return promise;
}

describe("a batch", () => {
  test("is committed behind its last record when all are terminal", async () => {
    const it = benchPipeline({ execute: async () => DONE_RESULT });
    await it.broker.deliver([record(5n), record(9n, "b"), record(12n, "c")]);
    expect(committed(it)).toEqual([13n]);
    expect(it.metrics.total("records", { result: "matched" })).toBe(3);
  });

  test("runs different incidents side by side and one incident in order", async () => {
    const it = benchPipeline();
    const batch = it.broker.deliver([record(0n, "a"), record(1n, "b"), record(2n, "a")]);
    await nextTurn();
    expect(it.begun).toEqual(["a", "b"]);
    await it.end("a");
    expect(it.begun).toEqual(["a", "b", "a"]);
    await it.end("a");
    await it.end("b");
    await batch;
    expect(committed(it)).toEqual([3n]);
  });

  test("keeps the order of an incident across partitions", async () => {
    const it = benchPipeline();
    const one = it.broker.deliver([record(0n, "a")]);
    const other = it.broker.deliver([{ ...record(0n, "a"), partition: 1 }]);
    await nextTurn();
    expect(it.begun).toEqual(["a"]);
    await it.end("a");
    expect(it.begun).toEqual(["a", "a"]);
    await it.end("a");
    await Promise.all([one, other]);
  });

  test("commits its terminal prefix at the interval, and not what comes after a gap", async () => {
    const it = benchPipeline();
    const ids = ["a", "b", "c", "d"];
    const batch = it.broker.deliver(ids.map((id, index) => record(BigInt(index), id)));
    await nextTurn();
    await it.end("a");
    await it.end("c");
    expect(committed(it)).toEqual([]);
    await it.clock.advance(1_000);
    expect(committed(it)).toEqual([1n]);
    await it.clock.advance(5_000);
    expect(committed(it)).toEqual([1n]);
    await it.end("b");
    await it.clock.advance(1_000);
    expect(committed(it)).toEqual([1n, 3n]);
    await it.end("d");
    await batch;
    expect(committed(it)).toEqual([1n, 3n, 4n]);
  });

  test("executes the actions of a record one after another, in the order of the rules", async () => {
    const order: string[] = [];
    const execute: Executor = async ({ rule, action }) => {
      order.push(`begin ${rule}/${action}`);
      await nextTurn();
      order.push(`end ${rule}/${action}`);
      return DONE_RESULT;
    };
    const rules = [RULE, { ...RULE, name: "second", actions: [HTTP, { ...HTTP, name: "b" }] }];
    await benchPipeline({ execute, rules }).broker.deliver([record(0n)]);
    expect(order).toEqual([
      "begin critical/open-ticket",
      "end critical/open-ticket",
      "begin second/open-ticket",
      "end second/open-ticket",
      "begin second/b",
      "end second/b",
    ]);
  });

  test("whatever the order of the ends: no commit passes an open record, all are committed at last", async () => {
    await assertCounted(
      fc.asyncProperty(
        fc.array(fc.constantFrom("a", "b", "c", "unmatched", "tombstone"), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.scheduler(),
        async (kinds, scheduler) => {
          const open = new Set<bigint>();
          const execute: Executor = async (_planned, { record: source }) => {
            await scheduler.schedule(Promise.resolve());
            open.delete(source.offset);
            return DONE_RESULT;
          };
          const it = benchPipeline({ execute });
          const records = kinds.map((kind, index) => {
            const offset = BigInt(index) * 3n;
            if (kind === "tombstone") return asRecord(null, { offset });
            if (kind === "unmatched") return record(offset, "x", "ok");
            open.add(offset);
            return record(offset, kind);
          });
          const batch = it.broker.deliver(records);
          await nextTurn();
          while (scheduler.count() > 0) {
            await scheduler.waitOne();
            await it.clock.advance(1_000);
            const first = [...open].reduce((least, each) => (each < least ? each : least), 10_000n);
            expect(it.broker.commits.at(-1)?.nextOffset ?? 0n).toBeLessThanOrEqual(first);
          }
          await batch;
          expect(committed(it).at(-1)).toBe(BigInt(kinds.length - 1) * 3n + 1n);
          expect(committed(it)).toEqual(committed(it).toSorted((a, b) => Number(a - b)));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("what is not to be executed", () => {
  test("unmatched records and tombstones are terminal at once", async () => {
    const it = benchPipeline();
    await it.broker.deliver([record(0n, "a", "warning"), asRecord(null, { offset: 1n })]);
    expect(committed(it)).toEqual([2n]);
    expect(it.begun).toEqual([]);
    expect(it.metrics.total("records", { result: "unmatched" })).toBe(1);
    expect(it.metrics.total("records", { result: "tombstone" })).toBe(1);
  });

  test("an undecodable record is dead-lettered with its bytes, then terminal", async () => {
    const it = benchPipeline();
    await it.broker.deliver([asRecord("{ no json", { offset: 41n })]);
    expect(it.broker.published).toMatchObject([
      {
        topic: "dead",
        key: null,
        value: new TextEncoder().encode("{ no json"),
        headers: {
          "dead-letter-reason": "undecodable",
          "dead-letter-detail": 'value is not JSON: "{ no json"',
          "source-offset": "41",
        },
      },
    ]);
    expect(committed(it)).toEqual([42n]);
  });

  test("an oversized record has a reason of its own", async () => {
    const it = benchPipeline();
    await it.broker.deliver([asRecord("x".repeat(10_001))]);
    expect(it.broker.published[0]?.headers["dead-letter-reason"]).toBe("oversized");
  });

  test("an unacknowledged dead letter holds the commit, and nothing else", async () => {
    const it = benchPipeline();
    let refusals = 3;
    it.broker.onPublish(async () => {
      refusals -= 1;
      if (refusals >= 0) throw new ConsumerError("broker-unavailable", "no leader");
    });
    const batch = it.broker.deliver([asRecord("?", { offset: 0n }), record(1n, "a")]);
    await nextTurn();
    expect(it.begun).toEqual(["a"]);
    await it.end("a");
    expect(committed(it)).toEqual([]);
    await it.clock.runUntil(batch);
    expect(it.broker.published).toHaveLength(1);
    expect(committed(it)).toEqual([2n]);
  });

  test("an action that cannot be filled takes its turn, with the reason", async () => {
    const executed: string[] = [];
    const execute: Executor = async (planned) => {
      const { action } = planned;
      executed.push("rejection" in planned ? `${action}: ${planned.rejection.detail}` : action);
      return DONE_RESULT;
    };
    const broken = { ...HTTP, name: "page", body: '"{{incident.tags.pager}}"' };
    const it = benchPipeline({ execute, rules: [{ ...RULE, actions: [broken, HTTP] }] });
    await it.broker.deliver([record(0n)]);
    expect(executed).toEqual([
      'page: rule critical, action page, body is missing: "{{incident.tags.pager}}"',
      "open-ticket",
    ]);
    expect(it.broker.published).toEqual([]);
  });
});

describe("a batch that takes long to prepare", () => {
  const records = Array.from({ length: 10 }, (_, offset) => record(BigInt(offset), "x", "ok"));

  test("lets the event loop go in between", async () => {
    const it = benchPipeline({ clock: slowClock() });
    const batch = it.broker.deliver(records);
    await nextTurn();
    expect(it.metrics.total("records")).toBe(2);
    await it.clock.advance(0);
    expect(it.metrics.total("records")).toBe(10);
    await batch;
    expect(committed(it)).toEqual([10n]);
  });

  test("is given up in between when its partition is lost", async () => {
    const it = benchPipeline({ clock: slowClock() });
    const batch = handled(it.broker.deliver(records));
    await nextTurn();
    it.broker.revoke();
    await it.clock.advance(0);
    await expect(batch).rejects.toMatchObject({ code: "assignment-lost" });
    expect(it.metrics.total("records")).toBe(2);
  });

  test("leaves the rest uncommitted when a stop comes in between", async () => {
    const it = benchPipeline({ clock: slowClock() });
    const batch = handled(it.broker.deliver(records));
    await nextTurn();
    it.stop.abort();
    await it.clock.advance(0);
    await expect(batch).rejects.toThrow(/8 of 10 records are not done and stay uncommitted/);
    expect(committed(it)).toEqual([2n]);
  });
});

describe("a revoked partition", () => {
  test("starts nothing new, waits for what runs, commits nothing, rejects with the reason", async () => {
    const it = benchPipeline();
    let ended = false;
    const records = [record(0n, "x", "ok"), record(1n, "a"), record(2n, "a")];
    const batch = handled(it.broker.deliver(records).finally(() => (ended = true)));
    await nextTurn();
    it.broker.revoke();
    await nextTurn();
    expect(ended).toBe(false);
    await it.end("a");
    await expect(batch).rejects.toMatchObject({ code: "assignment-lost" });
    expect(it.begun).toEqual(["a"]);
    expect(committed(it)).toEqual([]);
  });

  test.each([
    ["lost without a word: nothing is committed for it any more", "revoke", []],
    ["rebalanced: its terminal prefix is committed before, nothing later", "rebalance", [1n]],
  ] as const)("%s", async (_title, lose, commits) => {
    const it = benchPipeline();
    const batch = handled(it.broker.deliver([record(0n, "a"), record(1n, "b"), record(2n, "c")]));
    await nextTurn();
    await it.end("a");
    it.broker[lose]();
    await it.clock.advance(2_000);
    await it.end("b");
    await it.end("c");
    await expect(batch).rejects.toMatchObject({ code: "assignment-lost" });
    expect(committed(it)).toEqual(commits);
    expect(it.broker.refused).toEqual([]);
  });

  test("lost when all is done and nothing committed: rejects with the reason, commits nothing", async () => {
    const it = benchPipeline({
      execute: async () => {
        it.broker.revoke();
        return DONE_RESULT;
      },
    });
    const batch = handled(it.broker.deliver([record(0n, "a")]));
    await expect(batch).rejects.toMatchObject({ code: "assignment-lost" });
    expect(committed(it)).toEqual([]);
  });

  test("waits no longer than the drain", async () => {
    const it = benchPipeline();
    const batch = handled(it.broker.deliver([record(0n)]));
    await nextTurn();
    it.broker.revoke();
    await nextTurn();
    await it.clock.advance(5_000);
    await expect(batch).rejects.toMatchObject({ code: "assignment-lost" });
    expect(it.log.of("batch.drain-overrun")).toHaveLength(1);
  });

  test("does not wait for a lane that another partition holds", async () => {
    const it = benchPipeline();
    const other = handled(it.broker.deliver([{ ...record(0n, "a"), partition: 1 }]));
    await nextTurn();
    it.broker.revoke();
    const batch = handled(it.broker.deliver([record(0n, "a")]));
    await nextTurn();
    it.broker.revoke();
    await expect(batch).rejects.toMatchObject({ code: "assignment-lost" });
    await it.end("a");
    await expect(other).rejects.toMatchObject({ code: "assignment-lost" });
  });

  test("is believed when the executor sees it first", async () => {
    const it = benchPipeline();
    const batch = handled(it.broker.deliver([record(0n, "a"), record(1n, "b")]));
    await nextTurn();
    await it.end("a");
    await it.end("b", LOST);
    await expect(batch).rejects.toBe(LOST);
    expect(committed(it)).toEqual([]);
    expect(it.fatal).toEqual([]);
  });
});

describe("a stop", () => {
  test("lets running actions end, commits them, and leaves the rest uncommitted", async () => {
    const it = benchPipeline({ lanesMax: 1 });
    const batch = handled(it.broker.deliver([record(0n, "a"), record(1n, "b")]));
    await nextTurn();
    it.stop.abort();
    await it.end("a");
    await expect(batch).rejects.toThrow(/1 of 2 records are not done and stay uncommitted/);
    expect(it.begun).toEqual(["a"]);
    expect(committed(it)).toEqual([1n]);
  });

  test("with everything done is no failure", async () => {
    const it = benchPipeline();
    const batch = it.broker.deliver([record(0n, "a")]);
    await nextTurn();
    it.stop.abort();
    await it.end("a");
    await expect(batch).resolves.toBeUndefined();
    expect(committed(it)).toEqual([1n]);
  });

  test("takes no batch any more", async () => {
    const it = benchPipeline();
    it.stop.abort();
    await expect(it.broker.deliver([record(0n, "x", "ok")])).rejects.toMatchObject({
      code: "stopping",
    });
    expect(committed(it)).toEqual([]);
  });
});

describe("an error of the executor", () => {
  test("halts the batch: what was terminal before is committed, the process is told", async () => {
    const it = benchPipeline({ lanesMax: 2 });
    const batch = handled(
      it.broker.deliver([record(0n, "a"), record(1n, "b"), record(2n, "c"), record(3n, "d")]),
    );
    await nextTurn();
    await it.end("a");
    await it.end("b", new TypeError("a fault of ours"));
    await it.end("c");
    await expect(batch).rejects.toMatchObject({ code: "internal" });
    expect(it.begun).toEqual(["a", "b", "c"]);
    expect(committed(it)).toEqual([1n]);
    expect(it.fatal).toMatchObject([{ code: "internal" }]);
  });

  test("keeps the next record of the same incident from starting", async () => {
    const it = benchPipeline();
    const batch = handled(it.broker.deliver([record(0n, "a"), record(1n, "a")]));
    await nextTurn();
    await it.end("a", new TypeError("a fault of ours"));
    await expect(batch).rejects.toMatchObject({ code: "internal" });
    expect(it.begun).toEqual(["a"]);
  });

  test("that waiting can mend is not fatal", async () => {
    const it = benchPipeline();
    const batch = handled(it.broker.deliver([record(0n, "a")]));
    await nextTurn();
    const error = new ConsumerError("history-unavailable", "volume is full");
    await it.end("a", error);
    await expect(batch).rejects.toBe(error);
    expect(it.fatal).toEqual([]);
    expect(it.log.of("record.failed")).toHaveLength(1);
  });
});
