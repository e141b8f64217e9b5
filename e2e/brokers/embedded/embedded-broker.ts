import { installFault } from "#simulator/kafka/control/install-fault.ts";
import type { InstalledFault } from "#simulator/kafka/control/install-fault.ts";
import { localControl } from "#simulator/kafka/control/local-control.ts";
import type { KafkaControl } from "#simulator/kafka/control/operations.ts";
import { remoteControl } from "#simulator/kafka/control/remote-control.ts";
import type { RemoteControlOptions } from "#simulator/kafka/control/remote-control.ts";
import type { FaultRule } from "#simulator/kafka/faults/fault-registry.ts";
import type { TopicOptions } from "#simulator/kafka/cluster/options.ts";
import { PROTOCOL_EVENTS_MAX } from "#simulator/kafka/protocol/protocol-history.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import { ActivityFeed } from "./activity-feed.ts";
import { readAssignment } from "#e2e/brokers/assignment.ts";
import { BROKER_ABILITIES } from "#e2e/brokers/broker-abilities.ts";
import { ProtocolFeed } from "./protocol-feed.ts";
import type {
  Broker,
  ClientActivity,
  GroupMember,
  Position,
  ProducedRecord,
  ProtocolEvent,
  StoredRecord,
  TopicSettings,
} from "#e2e/brokers/broker.ts";

export interface EmbeddedBrokerOptions {
  /** The host name that clients are given. The broker listens on loopback. */
  readonly advertisedHost: string;
  /** The certificate and key of the listener, as PEM. */
  readonly server: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
  readonly topics: readonly TopicOptions[];
  /** `group.min.session.timeout.ms` of the broker. */
  readonly sessionTimeoutMsMin: number;
  readonly nodes: number;
}

/** Starts a broker in this process. Its listener is SASL_SSL with SCRAM-SHA-512. */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<Broker> {
  const { certificatePem: cert, privateKeyPem: key } = options.server;
  await using starting = new AsyncDisposableStack();
  const cluster = starting.use(
    await startKafka({
      nodes: options.nodes,
      listeners: [
        {
          name: "pods",
          advertisedHost: options.advertisedHost,
          tls: { cert, key },
          sasl: { mechanisms: ["SCRAM-SHA-512"] },
        },
      ],
      users: options.users,
      topics: options.topics,
      autoCreateTopics: false,
      sessionTimeoutMsMin: options.sessionTimeoutMsMin,
      protocolEventsMax: PROTOCOL_EVENTS_MAX,
    }),
  );
  const control = starting.use(localControl(cluster));
  const bootstrap = await control.bootstrap();
  return new EmbeddedBroker(control, bootstrap, starting.move());
}

/**
 * Connects to the control interface of a broker that runs in another process or in a pod. Disposing the result leaves
 * that broker running.
 */
export async function connectEmbeddedBroker(options: RemoteControlOptions): Promise<Broker> {
  const control = remoteControl(options);
  return new EmbeddedBroker(control, await control.bootstrap(), new AsyncDisposableStack());
}

class EmbeddedBroker implements Broker {
  readonly abilities = BROKER_ABILITIES.embedded;
  readonly bootstrap: readonly string[];
  readonly #control: KafkaControl;
  readonly #activity: ActivityFeed;
  readonly #protocol: ProtocolFeed;
  readonly #stack: AsyncDisposableStack;

  constructor(control: KafkaControl, bootstrap: readonly string[], stack: AsyncDisposableStack) {
    this.bootstrap = bootstrap;
    this.#control = control;
    this.#stack = stack;
    this.#activity = stack.use(new ActivityFeed(control));
    this.#protocol = new ProtocolFeed(control);
  }

  async createTopic(name: string, partitions: number, config: TopicSettings = {}): Promise<void> {
    await this.#control.createTopic({ name, partitions, config });
  }

  async produce(topic: string, { key, value, partition }: ProducedRecord): Promise<Position> {
    return await this.#control.append({
      topic,
      key: key === null ? null : Buffer.from(key),
      value: typeof value === "string" ? Buffer.from(value) : value,
      ...(partition !== undefined && { partition }),
    });
  }

  async read(topic: string): Promise<StoredRecord[]> {
    const records = await this.#control.records({ topic });
    return records.map(({ partition, offset, timestampMs, key, value, headers }) => ({
      partition,
      offset,
      timestampMs,
      key: key === null ? null : textOf(key),
      value,
      headers: Object.fromEntries(headers.map(([name, text]) => [name, textOf(text)])),
    }));
  }

  async endOffsets(topic: string): Promise<ReadonlyMap<number, bigint>> {
    const { partitions } = await this.#control.topic({ topic });
    return new Map(partitions.map(({ index, endOffset }) => [index, endOffset]));
  }

  async committedOffsets(group: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
    const committed = (await this.#control.offsets({ group }))
      .filter((one) => one.topic === topic)
      .toSorted((left, right) => left.partition - right.partition);
    return new Map(committed.map(({ partition, offset }) => [partition, offset]));
  }

  async members(group: string): Promise<readonly GroupMember[]> {
    const { members } = await this.#control.group({ group });
    return members.map(({ memberId, clientId, assignment }) => ({
      memberId,
      clientId,
      partitions: readAssignment(Buffer.from(assignment)),
    }));
  }

  async setPassword(user: string, password: string): Promise<void> {
    await this.#control.setPassword({ user, password });
  }

  async restart(): Promise<void> {
    const nodes = await this.nodes();
    for (const node of nodes) await this.killNode(node);
    for (const node of nodes) await this.startNode(node);
  }

  async nodes(): Promise<readonly number[]> {
    return (await this.#control.nodes()).map(({ id }) => id);
  }

  async killNode(node: number): Promise<number> {
    return (await this.#control.killNode({ node })).connectionsCut;
  }

  async startNode(node: number): Promise<void> {
    await this.#control.startNode({ node });
  }

  async leaders(topic: string): Promise<ReadonlyMap<number, number>> {
    const { partitions } = await this.#control.topic({ topic });
    return new Map(partitions.map(({ index, leader }) => [index, leader]));
  }

  async moveLeader(topic: string, partition: number, node: number): Promise<void> {
    await this.#control.moveLeader({ topic, partition, node });
  }

  async group(group: string): Promise<{ generation: number; coordinator: number }> {
    const { generation, coordinator } = await this.#control.group({ group });
    return { generation, coordinator };
  }

  async rebalance(group: string): Promise<boolean> {
    return await this.#control.rebalance({ group });
  }

  async addFault(rule: FaultRule): Promise<InstalledFault> {
    return await installFault(this.#control, rule);
  }

  async clientActivity(): Promise<readonly ClientActivity[]> {
    return await this.#activity.all();
  }

  async protocolHistory(): Promise<readonly ProtocolEvent[]> {
    return await this.#protocol.all();
  }

  subscribe(listener: (activity: ClientActivity) => void): () => void {
    return this.#activity.subscribe(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? "" : Buffer.from(bytes).toString();
}
