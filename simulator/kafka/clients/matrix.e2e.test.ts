import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startClientCluster } from "./client-cluster.ts";
import { startKafkajs, startPlatformatic } from "./start-clients.ts";
import { runMatrix } from "./matrix.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clients-test-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("every npm client reads what every one wrote, byte for byte", async () => {
  await using started = await startClientCluster(directory);
  const { cluster, plain, secure } = started;
  const clients = await Promise.all([startKafkajs(""), startPlatformatic()]);
  const readings = await runMatrix({ cluster, plain, secure, clients, printLine: () => undefined });
  expect(readings.flatMap(({ faults }) => faults)).toEqual([]);
  const read = readings.map(({ producer, reader, read: codecs }) => [producer, reader, codecs]);
  const kafkajs = ["none", "gzip", "zstd", "tls"];
  expect(read).toEqual([
    ["kafkajs", "kafkajs", kafkajs],
    ["platformatic", "kafkajs", kafkajs],
    ["kafkajs", "platformatic", kafkajs],
    ["platformatic", "platformatic", ["none", "gzip", "snappy", "lz4", "zstd", "tls"]],
  ]);
}, 120_000);
