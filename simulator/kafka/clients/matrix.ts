import { isDeepStrictEqual } from "node:util";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import type { Client, ClientConnection, ClientRecord, Codec } from "./client.ts";
import { printedHeaders } from "./kcat.ts";
import { sampleRecords } from "./records.ts";

export interface MatrixOptions {
  readonly cluster: KafkaCluster;
  readonly plain: ClientConnection;
  readonly secure: ClientConnection;
  readonly clients: readonly Client[];
  /** Receives progress, line by line. */
  readonly printLine: (line: string) => void;
}

/** The records that one client wrote in one codec. */
interface Written {
  readonly producer: Client;
  readonly codec: Codec;
  readonly topic: string;
  readonly isSecure: boolean;
  /** The difference between what the broker has and what was sent. */
  fault?: string | undefined;
}

/** One line of the result. */
export interface Reading {
  readonly producer: string;
  readonly reader: string;
  /** The codecs that were read byte for byte. `tls` is gzip over SASL_SSL and SCRAM. */
  readonly read: readonly string[];
  /** The codecs that the reader does not have here. */
  readonly skipped: readonly string[];
  readonly faults: readonly string[];
}

/**
 * Runs the matrix: every client writes in every codec that it has, and once over SASL_SSL; every
 * client, including itself, reads that back. Keys, values, headers and timestamps are compared with
 * what was sent and with what the broker has.
 */
export async function runMatrix(options: MatrixOptions): Promise<Reading[]> {
  const written: Written[] = [];
  for (const producer of options.clients) {
    options.printLine(`${producer.name} writes`);
    written.push(...(await write(producer, options)));
  }
  const readings: Reading[] = [];
  for (const reader of options.clients) {
    options.printLine(`${reader.name} reads`);
    readings.push(...(await read(reader, written, options)));
  }
  return readings;
}

async function write(producer: Client, { cluster, plain, secure }: MatrixOptions) {
  const open = producer.codecs.map((codec) => ({
    producer,
    codec,
    topic: `${producer.name}-${codec}`,
    isSecure: false,
  }));
  const topic = `${producer.name}-tls`;
  const written: Written[] = [...open, { producer, codec: "gzip", topic, isSecure: true }];
  for (const { topic: name } of written) cluster.createTopic({ name, partitions: 1 });
  const records = sampleRecords(producer.isTextual ?? false);
  try {
    await producer.produce({ connection: plain, topics: open, records });
    await producer.produce({ connection: secure, topics: [{ topic, codec: "gzip" }], records });
    for (const one of written) one.fault = checkStored(one, records, cluster);
  } catch (error) {
    for (const one of written) one.fault = String(error);
  }
  return written;
}

function checkStored(
  { producer, topic }: Written,
  sent: readonly ClientRecord[],
  cluster: KafkaCluster,
): string | undefined {
  const stored = storedRecords(cluster, topic);
  const isTimed = producer.isTextual !== true;
  const expected = sent.map((record, index) =>
    isTimed ? record : { ...record, timestampMs: stored[index]?.timestampMs ?? Number.NaN },
  );
  const fault = differenceOf(expected, stored);
  return fault === undefined ? undefined : `stored ${fault}`;
}

function storedRecords(cluster: KafkaCluster, topic: string): ClientRecord[] {
  return cluster
    .topic(topic)
    .records(0)
    .map(({ key, value, headers, timestampMs }) => ({
      key: key?.toString("base64") ?? null,
      value: value?.toString("base64") ?? null,
      headers: headers.map(([name, bytes]) => [name, bytes?.toString("base64") ?? ""] as const),
      timestampMs,
    }));
}

async function read(
  reader: Client,
  written: readonly Written[],
  { cluster, plain, secure, clients }: MatrixOptions,
): Promise<Reading[]> {
  const readable = written.filter(({ codec }) => reader.codecs.includes(codec));
  const consumed = new Map<string, readonly ClientRecord[] | string>();
  for (const isSecure of [false, true]) {
    // Topics of clients that write fewer records are read separately, because every task has one
    // count.
    for (const isTextual of [false, true]) {
      // A reader cannot wait for records that were not written correctly.
      const topics = readable
        .filter((one) => one.isSecure === isSecure && one.fault === undefined)
        .filter(({ producer }) => (producer.isTextual ?? false) === isTextual)
        .map(({ topic }) => topic);
      if (topics.length === 0) continue;
      const count = sampleRecords(isTextual).length;
      const connection = isSecure ? secure : plain;
      try {
        const found = await reader.consume({ connection, topics, count });
        for (const [topic, records] of Object.entries(found)) consumed.set(topic, records);
      } catch (error) {
        for (const topic of topics) consumed.set(topic, String(error));
      }
    }
  }
  return clients.map((producer) => {
    const own = written.filter((one) => one.producer === producer);
    const checked = own
      .filter((one) => readable.includes(one))
      .map((one) => ({ name: nameOf(one), fault: checkRead(reader, one, consumed, cluster) }));
    return {
      producer: producer.name,
      reader: reader.name,
      read: checked.filter(({ fault }) => fault === undefined).map(({ name }) => name),
      skipped: own.filter((one) => !readable.includes(one)).map((one) => nameOf(one)),
      faults: checked.flatMap(({ name, fault }) =>
        fault === undefined ? [] : [`${name}: ${fault}`],
      ),
    };
  });
}

function checkRead(
  reader: Client,
  { topic, fault }: Written,
  consumed: ReadonlyMap<string, readonly ClientRecord[] | string>,
  cluster: KafkaCluster,
): string | undefined {
  if (fault !== undefined) return fault;
  const stored = storedRecords(cluster, topic);
  const expected =
    reader.isTextual === true
      ? stored.map((record) => ({ ...record, headers: printedHeaders(record.headers) }))
      : stored;
  const found = consumed.get(topic) ?? [];
  return typeof found === "string" ? found : differenceOf(expected, found);
}

const nameOf = ({ codec, isSecure }: Written): string => (isSecure ? "tls" : codec);

function differenceOf(
  expected: readonly ClientRecord[],
  actual: readonly ClientRecord[],
): string | undefined {
  if (expected.length !== actual.length) {
    return `${actual.length} records, expected ${expected.length}`;
  }
  for (const [index, record] of expected.entries()) {
    const found = actual[index];
    for (const field of ["key", "value", "headers", "timestampMs"] as const) {
      if (isDeepStrictEqual(found?.[field], record[field])) continue;
      const [got, wanted] = [found?.[field], record[field]].map((one) => JSON.stringify(one));
      return `record ${index}: ${field} ${got?.slice(0, 80)}, expected ${wanted?.slice(0, 80)}`;
    }
  }
  return undefined;
}
