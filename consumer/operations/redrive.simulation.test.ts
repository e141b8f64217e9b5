import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  commitAll,
  committed,
  createKafkaHarness,
  DEAD_LETTERS,
  joined,
  TOPIC,
  until,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness } from "#simulator/kafka/testing/kafka-harness.ts";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createFiles } from "#consumer/adapters/files/files.ts";
import { createSystemRandom } from "#consumer/adapters/random.ts";
import { openAudit } from "./audit.ts";
import { redrive } from "./redrive.ts";
import { readVolume } from "./volume.ts";

let harness: KafkaHarness;
let directory: string;

beforeEach(async () => {
  harness = await createKafkaHarness();
  directory = await mkdtemp(join(tmpdir(), "redrive-"));
  for (const name of ["claims", "journal", "snapshot", "temporary"]) {
    await mkdir(join(directory, name));
  }
});

afterEach(async () => {
  await harness[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

test("dead letters of a real topic go back once; the next run begins again and leaves them out", async () => {
  const cluster = await harness.startCluster();
  const seen: string[] = [];
  const consumer = harness.startBroker(cluster, async (batch) => {
    for (const { value, headers } of batch.records) {
      seen.push(`${String(value)} from ${String(headers["redriven-from"])}`);
    }
    await commitAll(batch);
  });
  await joined(consumer);
  for (const value of ["one", "two", "three"]) {
    const headers = { "dead-letter-reason": "undecodable", "source-topic": TOPIC };
    await consumer.broker.publish({
      topic: DEAD_LETTERS,
      key: null,
      value: Buffer.from(value),
      headers,
    });
  }
  const files = createFiles(directory);
  const clock = createSystemClock();
  const runRedrive = async (max: number) => {
    const { broker } = harness.startBroker(cluster, undefined, {
      kafka: { groupId: "redrive", topics: [DEAD_LETTERS] },
    });
    const lines: string[] = [];
    await using audit = openAudit({ files, clock, random: createSystemRandom() });
    const selection = { reason: undefined, keys: [], max, again: false, dryRun: false, by: "eve" };
    const summary = await redrive(selection, {
      broker,
      sourceTopics: [TOPIC],
      volume: await readVolume(files, directory),
      audit: (record) => audit.append(record),
      clock,
      print: (line) => void lines.push(line),
      idleMs: 1500,
      joinMs: 8000,
      stop: new AbortController().signal,
    });
    return { summary, lines };
  };
  expect((await runRedrive(2)).summary).toEqual({ read: 2, redriven: 2, skipped: 0 });
  expect((await runRedrive(100)).summary).toEqual({ read: 3, redriven: 1, skipped: 2 });
  await until(() => committed(cluster) === 3n, "consumed again");
  expect(seen).toEqual([
    `one from ${DEAD_LETTERS}/0/0`,
    `two from ${DEAD_LETTERS}/0/1`,
    `three from ${DEAD_LETTERS}/0/2`,
  ]);
  expect(cluster.group("redrive").committed(DEAD_LETTERS, 0)).toBeUndefined();
});
