import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { NAMES } from "#fixtures/configurations.ts";
import { batchOfBytes, CODEC, recordBytes } from "#fixtures/record-batches.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import { runProgram } from "../run-program.ts";
import type { Measure } from "../figure.ts";
import { incidentBytes } from "../incidents.ts";
import { CREDENTIALS } from "../records/options.ts";
import type { ReadOptions } from "../records/options.ts";

/** The number of partitions that the consumer handles at once by default. */
const PARTITIONS = 8;
const RECORDS = 250;
const RECORD_BYTES = 1_000_000;
const PEAK_BYTES_MAX = 600e6;

/**
 * Figure (h) measures the memory of the whole consumer while every partition holds a batch of 250 kB that
 * unpacks to 250 MB.
 */
export const unpacking: Measure = async ({ directory, printLine }) => {
  await using cluster = await startKafka({
    listeners: [{ name: "sasl", sasl: { mechanisms: ["SCRAM-SHA-512"] } }],
    users: { [CREDENTIALS.username]: CREDENTIALS.password },
    topics: [{ name: NAMES.topic, partitions: PARTITIONS }, NAMES.deadLetterTopic],
    autoCreateTopics: false,
  });
  const incident = randomBytes(12).toString("hex");
  const startedOn = Math.floor(Date.now() / 1000);
  const value = Buffer.alloc(RECORD_BYTES, " ");
  value.set(incidentBytes(incident, startedOn));
  const members = Array.from({ length: RECORDS }, (_, offsetDelta) =>
    gzipSync(recordBytes({ offsetDelta, value })),
  );
  const body = Buffer.concat(members);
  const fields = { recordCount: RECORDS, lastOffsetDelta: RECORDS - 1, attributes: CODEC.gzip };
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    cluster
      .topic(NAMES.topic)
      .store(partition, RECORDS, (baseOffset) => batchOfBytes(body, { ...fields, baseOffset }));
  }
  const options: ReadOptions = {
    bootstrap: cluster.bootstrap("sasl")[0] ?? "",
    group: `bench-${randomBytes(4).toString("hex")}`,
    records: PARTITIONS * RECORDS,
    incidents: [incident],
    startedOn,
    directory: join(directory, `unpacking-${randomBytes(4).toString("hex")}`),
  };
  const { durationMs, peakBytes } = await runProgram<{ durationMs: number; peakBytes: number }>(
    "records.ts",
    ["pipeline", JSON.stringify(options)],
  );
  printLine(`h: ${PARTITIONS} batches of ${body.length} bytes in ${Math.round(durationMs)} ms`);
  return [
    {
      group: "h",
      what: `peak memory, ${PARTITIONS} batches that unpack to 250 MB each`,
      measured: peakBytes / 1e6,
      unit: "MB",
      peerName: "",
      peer: null,
      ratio: null,
      limit: `at most ${PEAK_BYTES_MAX / 1e6} MB`,
      reached: peakBytes <= PEAK_BYTES_MAX,
    },
  ];
};
