import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Producer } from "@platformatic/kafka";
import { NAMES } from "#fixtures/configurations.ts";
import { startSimulator } from "#simulator/process/simulator-process.ts";
import { runProgram } from "../run-program.ts";
import { takeTurns } from "../compare.ts";
import type { Measure } from "../figure.ts";
import { incidentBytes } from "../incidents.ts";
import { CREDENTIALS, PARTITIONS } from "../records/options.ts";
import type { ReadOptions } from "../records/options.ts";

const RECORDS = 240_000;
const INCIDENTS = 2000;
const ROUNDS = 5;
const RATIO_MIN = 0.9;

/** Figure (a) measures the whole consumer on records whose actions it has executed before. */
export const duplicates: Measure = async ({ directory, printLine }) => {
  const users = join(directory, "users.json");
  await writeFile(users, JSON.stringify({ [CREDENTIALS.username]: CREDENTIALS.password }));
  const topics = ["--topic", `${NAMES.topic}:${PARTITIONS}`, "--topic", NAMES.deadLetterTopic];
  const access = ["--sasl", "SCRAM-SHA-512", "--users-file", users];
  await using broker = startSimulator(["kafka", ...topics, ...access, "--no-auto-create-topics"]);
  const bootstrap = String((await broker.listening())["bootstrap"]);
  const incidents = Array.from({ length: INCIDENTS }, () => randomBytes(12).toString("hex"));
  printLine(`a: produce ${RECORDS} records about ${INCIDENTS} incidents`);
  const startedOn = await produce(bootstrap, incidents);
  const read = (command: string) => async (): Promise<number> => {
    const options: ReadOptions = {
      bootstrap,
      group: `bench-${randomBytes(4).toString("hex")}`,
      records: RECORDS,
      incidents,
      startedOn,
      directory: join(directory, `duplicates-${randomBytes(4).toString("hex")}`),
    };
    const { durationMs } = await runProgram<{ durationMs: number }>("records.ts", [
      command,
      JSON.stringify(options),
    ]);
    printLine(`a: ${command} ${Math.round(durationMs)} ms`);
    return durationMs;
  };
  const { medianMs, peerMedianMs } = await takeTurns(read("pipeline"), read("raw"), ROUNDS);
  const ratio = peerMedianMs / medianMs;
  return [
    {
      group: "a",
      what: "pipeline, all duplicates",
      measured: (RECORDS / medianMs) * 1000,
      unit: "records/s",
      peerName: "raw kafkajs eachBatch, same decode",
      peer: (RECORDS / peerMedianMs) * 1000,
      ratio,
      limit: `at least ${RATIO_MIN} x`,
      reached: ratio >= RATIO_MIN,
    },
  ];
};

/** Produces the incidents and returns the `started_on` of all of them. */
async function produce(bootstrap: string, incidents: readonly string[]): Promise<number> {
  const producer = new Producer({
    clientId: "bench",
    bootstrapBrokers: [bootstrap],
    sasl: { mechanism: "SCRAM-SHA-512", ...CREDENTIALS },
  });
  const startedOn = Math.floor(Date.now() / 1000);
  const values = incidents.map((id) => Buffer.from(incidentBytes(id, startedOn)));
  for (let from = 0; from < RECORDS; from += 500) {
    const messages = Array.from({ length: 500 }, (_, index) => ({
      topic: NAMES.topic,
      partition: (from / 500) % PARTITIONS,
      value: values[(from + index) % values.length]!,
    }));
    await producer.send({ acks: -1, messages });
  }
  await producer.close(true);
  return startedOn;
}
