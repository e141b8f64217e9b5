import { Producer } from "@platformatic/kafka";
import type { KafkaEvent } from "#simulator/kafka/events.ts";
import type { TopicOptions } from "#simulator/kafka/options.ts";
import { startKafka } from "#simulator/kafka/start.ts";
import type { KafkaCluster } from "#simulator/kafka/start.ts";
import { readAssignment } from "./assignment.ts";
import type {
  Broker,
  BrokerHold,
  ClientActivity,
  GroupMember,
  Position,
  ProducedRecord,
  StoredRecord,
} from "./broker.ts";

export interface EmbeddedBrokerOptions {
  /** PEM pair of the listener that pods use. */
  readonly server: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
  readonly topics: readonly TopicOptions[];
  /** `group.min.session.timeout.ms`. */
  readonly sessionTimeoutMsMin: number;
}

/** The listener of the pods, and one beside it for the kit, so that what pods do can be told apart. */
const PODS = "pods";
const KIT = "kit";

/** The broker of this process: SASL_SSL with SCRAM-SHA-512 for pods. */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<Broker> {
  const { certificatePem: cert, privateKeyPem: key } = options.server;
  const cluster = await startKafka({
    listeners: [
      { name: PODS, tls: { cert, key }, sasl: { mechanisms: ["SCRAM-SHA-512"] } },
      { name: KIT },
    ],
    users: options.users,
    topics: options.topics,
    autoCreateTopics: false,
    sessionTimeoutMsMin: options.sessionTimeoutMsMin,
  });
  return new EmbeddedBroker(cluster);
}

class EmbeddedBroker implements Broker {
  readonly #cluster: KafkaCluster;
  #producer: Producer;
  readonly #activity: ClientActivity[] = [];
  readonly #listeners = new Set<(activity: ClientActivity) => void>();

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
    this.#producer = kitProducer(cluster);
    cluster.onEvent((event) => this.#observe(event));
  }

  get bootstrap(): readonly string[] {
    return this.#cluster.bootstrap(PODS);
  }

  async createTopic(name: string, partitions: number): Promise<void> {
    this.#cluster.createTopic({ name, partitions });
  }

  async produce(topic: string, record: ProducedRecord): Promise<Position> {
    const { key, value, partition } = record;
    const { offsets } = await this.#producer.send({
      acks: -1,
      messages: [
        {
          topic,
          ...(key !== null && { key: Buffer.from(key) }),
          ...(value !== null && { value: Buffer.from(value) }),
          ...(partition !== undefined && { partition }),
        },
      ],
    });
    const [written] = offsets ?? [];
    if (written === undefined) throw new Error(`the record for ${topic} was not acknowledged`);
    return { partition: written.partition, offset: written.offset };
  }

  async read(topic: string): Promise<StoredRecord[]> {
    const stored = this.#cluster.topic(topic);
    return partitionsOf(stored.partitions).flatMap((partition) =>
      stored.records(partition).map(({ offset, key, value, headers }) => ({
        partition,
        offset,
        key: key?.toString() ?? null,
        value,
        headers: Object.fromEntries(headers.map(([name, text]) => [name, text?.toString() ?? ""])),
      })),
    );
  }

  async endOffsets(topic: string): Promise<ReadonlyMap<number, bigint>> {
    const stored = this.#cluster.topic(topic);
    return new Map(
      partitionsOf(stored.partitions).map((partition) => [partition, stored.endOffset(partition)]),
    );
  }

  async committedOffsets(group: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
    const committed = new Map<number, bigint>();
    for (const partition of partitionsOf(this.#cluster.topic(topic).partitions)) {
      const offset = this.#cluster.group(group).committed(topic, partition)?.offset;
      if (offset !== undefined) committed.set(partition, offset);
    }
    return committed;
  }

  async members(group: string): Promise<readonly GroupMember[]> {
    return this.#cluster.group(group).members.map(({ memberId, clientId, assignment }) => ({
      memberId,
      clientId,
      partitions: readAssignment(assignment),
    }));
  }

  async setPassword(user: string, password: string): Promise<void> {
    this.#cluster.users.set(user, password);
  }

  async restart(): Promise<void> {
    await this.#producer.close(true);
    const node = this.#cluster.node(1);
    await node.kill();
    await node.start();
    this.#producer = kitProducer(this.#cluster);
  }

  async holdNext(request: string): Promise<BrokerHold> {
    const fault = this.#cluster.faults.add({
      api: request,
      action: { type: "barrier" },
      times: 1,
    });
    return {
      arrived: fault.arrived.then(() => undefined),
      get hits() {
        return fault.hits;
      },
      release: () => fault.release(),
      [Symbol.dispose]: () => fault[Symbol.dispose](),
    };
  }

  clientActivity(): readonly ClientActivity[] {
    return [...this.#activity];
  }

  subscribe(listener: (activity: ClientActivity) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #observe(event: KafkaEvent): void {
    if (event.listener !== PODS) return;
    const activity: ClientActivity = {
      atMs: event.atMs,
      what: event.type === "request" ? event.api : event.type,
      peer: event.peer,
      ...("reason" in event && event.reason !== undefined && { detail: event.reason }),
    };
    this.#activity.push(activity);
    for (const listener of this.#listeners) listener(activity);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.close(true);
    await this.#cluster[Symbol.asyncDispose]();
  }
}

function kitProducer(cluster: KafkaCluster): Producer {
  return new Producer({
    clientId: "kit",
    bootstrapBrokers: cluster.bootstrap(KIT),
    autocreateTopics: false,
  });
}

function partitionsOf(count: number): number[] {
  return Array.from({ length: count }, (_, partition) => partition);
}
