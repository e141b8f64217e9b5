import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRecordsBatch } from "@platformatic/kafka";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Cluster } from "#simulator/kafka/cluster/cluster.ts";
import { startHousekeeping } from "#simulator/kafka/cluster/housekeeping.ts";
import { clusterSettings } from "#simulator/kafka/cluster/options.ts";
import { readRecords } from "#simulator/kafka/topics/records.ts";
import type { Partition, Topic } from "#simulator/kafka/topics/topics.ts";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import { parseBatch } from "#simulator/kafka/wire/record-batch.ts";
import { DirectoryStorage } from "./directory.ts";

const TOPIC = "t";
const RETENTION_MS = 10_000;
const CHECK_MS = 1000;

type Step =
  | { readonly do: "append"; readonly records: number }
  | { readonly do: "delete"; readonly percent: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("append" as const), records: size() }) },
  fc.record({ do: fc.constant("delete" as const), percent: fc.integer({ min: 0, max: 100 }) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(500, 4000, 12_000) }),
  fc.record({ do: fc.constant("restart" as const) }),
);

function size(): fc.Arbitrary<number> {
  return fc.integer({ min: 1, max: 5 });
}

/** One process, from its start to its death; `timers` go on through all of them. */
class Life implements Disposable {
  readonly topic: Topic;
  readonly partition: Partition;
  readonly #cluster: Cluster;
  readonly #housekeeping: Disposable;

  constructor(directory: string, timers: VirtualTimers) {
    const storage = new DirectoryStorage(directory);
    const settings = clusterSettings({ retentionCheckIntervalMs: CHECK_MS });
    const cluster = new Cluster(settings, {}, timers, storage);
    cluster.setNodes([{ id: 1, alive: true, endpoint: () => undefined }]);
    storage.restore(cluster);
    const config = new Map([["retention.ms", String(RETENTION_MS)]]);
    const topic = cluster.topics.get(TOPIC) ?? cluster.createTopic(TOPIC, 1, config);
    if (typeof topic === "string") throw new Error(topic);
    const [partition] = topic.partitions;
    if (partition === undefined) throw new Error("no partition");
    this.topic = topic;
    this.partition = partition;
    this.#cluster = cluster;
    this.#housekeeping = startHousekeeping(cluster);
  }

  append(values: readonly string[]): bigint {
    const timestamp = BigInt(this.#cluster.timers.nowMs());
    const messages = values.map((value) => ({
      topic: TOPIC,
      value: Buffer.from(value),
      timestamp,
    }));
    const batch = parseBatch(Buffer.from(createRecordsBatch(messages).buffer));
    return this.partition.log.append(batch, this.partition.leaderEpoch);
  }

  deleteBefore(offset: bigint): void {
    this.#cluster.deleteRecordsBefore(this.topic, this.partition, offset);
  }

  [Symbol.dispose](): void {
    this.#housekeeping[Symbol.dispose]();
    this.#cluster.close();
  }
}

test("whatever is appended, deleted or aged, and whoever restarts: offsets are dense, and never go back", () => {
  const seen = { retained: 0, deleted: 0, restarted: 0 };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const directory = mkdtempSync(join(tmpdir(), "kafka-offsets-"));
      const timers = new VirtualTimers();
      let life = new Life(directory, timers);
      const written: string[] = [];
      let startBefore = 0n;
      try {
        for (const [index, next] of steps.entries()) {
          if (next.do === "append") {
            const values = Array.from({ length: next.records }, (_, at) => `${index}/${at}`);
            const offset = life.append(values);
            if (offset !== BigInt(written.length))
              throw new Error(`${values.join(", ")} at ${offset}`);
            written.push(...values);
          } else if (next.do === "delete") {
            const { startOffset, endOffset } = life.partition.log;
            const offset = startOffset + ((endOffset - startOffset) * BigInt(next.percent)) / 100n;
            if (offset > startOffset) seen.deleted += 1;
            life.deleteBefore(offset);
          } else if (next.do === "wait") {
            const { startOffset } = life.partition.log;
            timers.advance(next.ms);
            if (life.partition.log.startOffset > startOffset) seen.retained += 1;
          } else {
            life[Symbol.dispose]();
            life = new Life(directory, timers);
            if (written.length > 0) seen.restarted += 1;
          }
          const { log } = life.partition;
          expect(log.startOffset).toBeGreaterThanOrEqual(startBefore);
          expect(log.endOffset).toBe(BigInt(written.length));
          startBefore = log.startOffset;
          const kept = readRecords(log).map(({ offset, value }) => [offset, String(value)]);
          const expected = written.map((value, at) => [BigInt(at), value]);
          expect(kept).toEqual(expected.slice(Number(log.startOffset)));
        }
      } finally {
        life[Symbol.dispose]();
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: 60 },
  );
  expect(seen).toEqual({
    retained: expect.toSatisfy(isSome),
    deleted: expect.toSatisfy(isSome),
    restarted: expect.toSatisfy(isSome),
  });
}, 60_000);

const isSome = (count: number): boolean => count > 0;
