import { randomBytes } from "node:crypto";
import { createRecordsBatch } from "@platformatic/kafka";
import { produce } from "#simulator/kafka/apis/00-produce.ts";
import { encodeBody } from "#simulator/kafka/apis/define.ts";
import { requestHeader, WireConnection } from "#simulator/kafka/parity/wire-connection.ts";
import { RequestReader } from "#simulator/kafka/wire/reader.ts";
import { median } from "../compare.ts";
import { clientOf, makeTopics, PARTITIONS, firstNodeOf } from "./topics.ts";
import type { TopicsOptions } from "./topics.ts";

export interface RequestOptions extends Omit<TopicsOptions, "topics"> {
  readonly requests: number;
  /** The number of records of one request, spread over the partitions. */
  readonly records: number;
  readonly recordBytes: number;
}

const VERSION = 7;
/** The part of the requests that is sent before the measured ones. */
const WARM_UP_PART = 0.25;

/**
 * Returns the median milliseconds of a prepared Produce request, from its first byte to the whole
 * response.
 */
export async function produceRequests(options: RequestOptions): Promise<number> {
  const { bootstrap, requests } = options;
  const { topics, deleteTopics } = await makeTopics(clientOf(bootstrap), { ...options, topics: 1 });
  const request = requestOf(topics[0] ?? "", options);
  using connection = await WireConnection.open(firstNodeOf(bootstrap));
  const durations: number[] = [];
  for (let sent = -requests * WARM_UP_PART; sent < requests; sent += 1) {
    const beginMs = performance.now();
    connection.sendBytes(request);
    const answer = await connection.receive();
    if (sent >= 0) durations.push(performance.now() - beginMs);
    else checkAnswer(answer);
  }
  await deleteTopics();
  return median(durations);
}

function requestOf(topic: string, { records, recordBytes }: RequestOptions): Buffer {
  const batch = createRecordsBatch(
    Array.from({ length: records / PARTITIONS }, () => {
      return { topic, value: randomBytes(recordBytes), timestamp: BigInt(Date.now()) };
    }),
  ).buffer;
  const partitions = Array.from({ length: PARTITIONS }, (_, index) => ({ index, records: batch }));
  const body = { acks: -1, timeoutMs: 30_000, topics: [{ name: topic, partitions }] };
  const frame = requestHeader(produce.key, VERSION, 1, false);
  for (const piece of encodeBody(produce.request, body, produce.format(VERSION))) {
    frame.append(piece);
  }
  return frame.prependLength().buffer;
}

function checkAnswer(answer: Buffer | undefined): void {
  if (answer === undefined) throw new Error("the broker closed the connection");
  const reader = RequestReader.from(answer);
  reader.int32();
  const { topics } = produce.response.read(reader, produce.format(VERSION));
  const codes = topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
  if (codes.length !== PARTITIONS || codes.some((code) => code !== 0)) {
    throw new Error(`Produce answered ${codes.join(", ")}`);
  }
}
