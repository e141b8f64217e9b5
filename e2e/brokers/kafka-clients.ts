import kafkajs from "kafkajs";
import type { Admin, Kafka, KafkaConfig, Producer } from "kafkajs";
import { guardKafkajs } from "#consumer/adapters/kafka/guards.ts";
import { until } from "#e2e/base/waiting.ts";
import type { Position, ProducedRecord, TopicSettings } from "./broker.ts";

export type KafkaClientsOptions = Pick<
  KafkaConfig,
  "brokers" | "ssl" | "sasl" | "socketFactory" | "retry"
>;

/** Each record is written at most once, or the run ends: the checkers count the published records. */
const PRODUCER = { idempotent: true, maxInFlightRequests: 1 };

const STARTED = { deadlineMs: 30_000, intervalMs: 20 };

/** The clients by which the kit itself uses a real broker. Deployments that delete nothing may share them. */
export class KafkaClients implements AsyncDisposable {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly #producer: Producer;
  /**
   * The sends run one after the other. kafkajs would give two simultaneous sends to one partition the same sequence
   * number.
   */
  #producing: Promise<unknown> = Promise.resolve();

  /** Rejects when the broker does not answer within the retries of kafkajs. */
  static async connect(options: KafkaClientsOptions): Promise<KafkaClients> {
    const clients = new KafkaClients(options);
    try {
      await clients.admin.connect();
      await clients.#producer.connect();
      return clients;
    } catch (error) {
      await clients[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(options: KafkaClientsOptions) {
    this.kafka = createKafka(options);
    this.admin = this.kafka.admin();
    this.#producer = this.kafka.producer({
      ...PRODUCER,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
  }

  /** Makes a topic and resolves when every partition is served. */
  async createTopic(
    topic: string,
    partitions: number,
    settings: TopicSettings = {},
  ): Promise<void> {
    // kafkajs waits for leaders only while the broker reports that there is none. It takes a topic that is not known
    // yet for an error.
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const topics = [{ topic, numPartitions: partitions, configEntries }];
    await this.admin.createTopics({ topics, waitForLeaders: false });
    let refusal: unknown;
    const isServed = async (): Promise<boolean> => {
      try {
        return (await this.endOffsets(topic)).size === partitions;
      } catch (error) {
        refusal = error;
        return false;
      }
    };
    const seen = (): string => String(refusal);
    await until(`every partition of ${topic} is served`, isServed, { ...STARTED, seen });
  }

  /** Returns the offset after the last record of each partition. */
  async endOffsets(topic: string): Promise<ReadonlyMap<number, bigint>> {
    const ends = await this.admin.fetchTopicOffsets(topic);
    return new Map(
      ends
        .map(({ partition, high }) => [partition, BigInt(high)] as const)
        .toSorted(([left], [right]) => left - right),
    );
  }

  async produce(topic: string, { key, value, partition }: ProducedRecord): Promise<Position> {
    const message = {
      key,
      value: value === null ? null : Buffer.from(value),
      ...(partition !== undefined && { partition }),
    };
    const producing = this.#producing.then(() =>
      this.#producer.send({ topic, acks: -1, messages: [message] }),
    );
    this.#producing = producing.catch(() => {});
    const [written] = await producing;
    if (written?.baseOffset === undefined) throw new Error(`no answer about a record of ${topic}`);
    return { partition: written.partition, offset: BigInt(written.baseOffset) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.disconnect();
    await this.admin.disconnect();
  }
}

/** Returns a Kafka client that does not log, since its errors say what failed. */
export function createKafka(options: KafkaClientsOptions): Kafka {
  guardKafkajs();
  return new kafkajs.Kafka({
    clientId: "kafka-consumer-kit",
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 8 },
    ...options,
  });
}
