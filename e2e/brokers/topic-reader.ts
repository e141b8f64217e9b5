import { randomUUID } from "node:crypto";
import type { Consumer, IHeaders, Kafka, KafkaMessage } from "kafkajs";
import { until } from "#e2e/base/waiting.ts";
import type { StoredRecord } from "./broker.ts";

const READ_MS_MAX = 30_000;

/** Reads a topic from its beginning and keeps the records, so that each read fetches only what is new. */
export class TopicReader implements AsyncDisposable {
  readonly topic: string;
  /** The consumer group of the reader, in which nothing is committed. */
  readonly group: string;
  readonly #consumer: Consumer;
  readonly #records = new Map<number, StoredRecord[]>();

  static async start(kafka: Kafka, topic: string): Promise<TopicReader> {
    const reader = new TopicReader(kafka, topic);
    try {
      await reader.#start();
      return reader;
    } catch (error) {
      await reader[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(kafka: Kafka, topic: string) {
    this.topic = topic;
    this.group = `${topic}.reader-${randomUUID()}`;
    this.#consumer = kafka.consumer({
      groupId: this.group,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
    });
  }

  /**
   * Returns all records before these offsets, sorted by partition and offset. Throws ExpectationError when they do not
   * arrive in time.
   */
  async read(ends: ReadonlyMap<number, bigint>): Promise<StoredRecord[]> {
    const missing = () =>
      [...ends].filter(
        ([partition, end]) => (this.#records.get(partition)?.at(-1)?.offset ?? -1n) + 1n < end,
      );
    await until(`${this.topic} is read to its end`, () => missing().length === 0, {
      deadlineMs: READ_MS_MAX,
      intervalMs: 10,
      seen: () => missing().map(([partition, end]) => `not yet ${partition} up to ${end}`),
    });
    return [...ends]
      .toSorted(([left], [right]) => left - right)
      .flatMap(([partition, end]) =>
        (this.#records.get(partition) ?? []).filter(({ offset }) => offset < end),
      );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#consumer.disconnect();
  }

  async #start(): Promise<void> {
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => this.#keep(partition, message),
    });
  }

  #keep(partition: number, message: KafkaMessage): void {
    const records = this.#records.get(partition) ?? [];
    this.#records.set(partition, records);
    const offset = BigInt(message.offset);
    // The group commits nothing, so after a rebalance it reads from the beginning again.
    if (offset <= (records.at(-1)?.offset ?? -1n)) return;
    const { key, value, headers, timestamp } = message;
    records.push({
      partition,
      offset,
      timestampMs: Number(timestamp),
      key: key === null ? null : key.toString(),
      value,
      headers: textHeaders(headers),
    });
  }
}

/** Converts the headers to text. When a header occurs twice, the last value counts. */
function textHeaders(headers: IHeaders | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, value]) => {
      const last = Array.isArray(value) ? value.at(-1) : value;
      return [name, last === undefined ? "" : last.toString()];
    }),
  );
}
