import type { InstalledFault } from "#simulator/kafka/control/install-fault.ts";
import { AbilityLackingError } from "#e2e/base/abilities.ts";
import type { Ability } from "#e2e/base/abilities.ts";
import { readAssignment } from "./assignment.ts";
import { abilitiesOf } from "./broker-abilities.ts";
import type {
  Broker,
  ClientActivity,
  GroupMember,
  Position,
  ProducedRecord,
  StoredRecord,
  TopicSettings,
} from "./broker.ts";
import type { KafkaClients } from "./kafka-clients.ts";
import type { TcpProxy } from "./tcp-proxy.ts";
import type { ScramUsers } from "./scram-users.ts";
import { TopicReader } from "./topic-reader.ts";

export interface KafkaClientBrokerOptions {
  /** The name of the broker in errors, such as `the broker kafka`. */
  readonly place: string;
  readonly clients: KafkaClients;
  /** The bootstrap addresses for the pods. */
  readonly bootstrap: readonly string[];
  /** The proxy that the connections of the pods go through, or null. */
  readonly proxy: TcpProxy | null;
  /** The users of the broker, or null when the kit may not change them. */
  readonly users: ScramUsers | null;
}

/** A real broker, reached by ordinary clients. The kit makes nothing in it but topics, groups and users. */
export class KafkaClientBroker implements Broker {
  readonly abilities: ReadonlySet<Ability>;
  readonly bootstrap: readonly string[];
  readonly #options: KafkaClientBrokerOptions;
  readonly #clients: KafkaClients;
  readonly #readers = new Map<string, Promise<TopicReader>>();

  constructor(options: KafkaClientBrokerOptions) {
    this.#options = options;
    this.#clients = options.clients;
    this.bootstrap = options.bootstrap;
    this.abilities = abilitiesOf({ proxy: options.proxy !== null, users: options.users !== null });
  }

  async createTopic(name: string, partitions: number, settings?: TopicSettings): Promise<void> {
    await this.#clients.createTopic(name, partitions, settings);
  }

  async produce(topic: string, record: ProducedRecord): Promise<Position> {
    return await this.#clients.produce(topic, record);
  }

  async read(topic: string): Promise<StoredRecord[]> {
    const ends = await this.endOffsets(topic);
    if ([...ends.values()].every((end) => end === 0n)) return [];
    return await (await this.#reader(topic)).read(ends);
  }

  async endOffsets(topic: string): Promise<ReadonlyMap<number, bigint>> {
    return await this.#clients.endOffsets(topic);
  }

  async committedOffsets(group: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
    const offsets = await this.#clients.admin.fetchOffsets({ groupId: group, topics: [topic] });
    const committed = offsets
      .flatMap(({ partitions }) => partitions)
      .map(({ partition, offset }) => [partition, BigInt(offset)] as const)
      .filter(([, offset]) => offset >= 0n);
    return byPartition(committed);
  }

  async members(group: string): Promise<readonly GroupMember[]> {
    const { groups } = await this.#clients.admin.describeGroups([group]);
    const [described] = groups;
    if (described === undefined) throw new Error(`no answer about the group ${group}`);
    return described.members.map(({ memberId, clientId, memberAssignment }) => ({
      memberId,
      clientId,
      partitions: readAssignment(memberAssignment),
    }));
  }

  async setPassword(user: string, password: string): Promise<void> {
    if (this.#options.users === null) throw this.#lacking("broker-users");
    await this.#options.users.set(user, password);
  }

  async restart(): Promise<void> {
    const proxy = this.#proxy();
    await proxy.stop();
    await proxy.serve();
  }

  async nodes(): Promise<readonly number[]> {
    const { brokers } = await this.#clients.admin.describeCluster();
    return brokers.map(({ nodeId }) => nodeId);
  }

  /** Stops the proxy, since a broker behind a proxy has only one node. */
  async killNode(): Promise<number> {
    return await this.#proxy().stop();
  }

  async startNode(): Promise<void> {
    await this.#proxy().serve();
  }

  async leaders(topic: string): Promise<ReadonlyMap<number, number>> {
    const { topics } = await this.#clients.admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics.flatMap((found) => found.partitions);
    return byPartition(partitions.map(({ partitionId, leader }) => [partitionId, leader]));
  }

  async moveLeader(): Promise<never> {
    throw this.#lacking("broker-nodes");
  }

  async group(): Promise<never> {
    throw this.#lacking("forced-rebalance");
  }

  async rebalance(): Promise<never> {
    throw this.#lacking("forced-rebalance");
  }

  async addFault(): Promise<InstalledFault> {
    throw this.#lacking("fault-rules");
  }

  async clientActivity(): Promise<readonly ClientActivity[]> {
    return this.#proxy().activity();
  }

  async protocolHistory(): Promise<never> {
    throw this.#lacking("broker-history");
  }

  subscribe(listener: (activity: ClientActivity) => void): () => void {
    return this.#options.proxy?.subscribe(listener) ?? (() => {});
  }

  /** Returns the groups in which the topics of this broker were read. After the end these groups have no members. */
  async readerGroups(): Promise<string[]> {
    return (await Promise.all(this.#readers.values())).map(({ group }) => group);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const readers = await Promise.allSettled(this.#readers.values());
    await using stack = new AsyncDisposableStack();
    // A reader that could not be started has disposed itself.
    for (const reader of readers) if (reader.status === "fulfilled") stack.use(reader.value);
  }

  #reader(topic: string): Promise<TopicReader> {
    const reader = this.#readers.get(topic) ?? TopicReader.start(this.#clients.kafka, topic);
    this.#readers.set(topic, reader);
    return reader;
  }

  #proxy(): TcpProxy {
    if (this.#options.proxy === null) throw this.#lacking("broker-connections");
    return this.#options.proxy;
  }

  #lacking(ability: Ability): AbilityLackingError {
    return new AbilityLackingError(this.#options.place, ability);
  }
}

function byPartition<Value>(entries: readonly (readonly [number, Value])[]): Map<number, Value> {
  return new Map(entries.toSorted(([left], [right]) => left - right));
}
