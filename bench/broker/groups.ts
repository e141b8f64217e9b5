import { metadataOf } from "#simulator/kafka/parity/wire-member.ts";
import { WireConnection } from "#simulator/kafka/parity/wire-connection.ts";
import type { WireAddress } from "#simulator/kafka/parity/wire-connection.ts";
import { findCoordinator } from "#simulator/kafka/apis/10-find-coordinator.ts";
import { joinGroup } from "#simulator/kafka/apis/11-join-group.ts";
import { heartbeat } from "#simulator/kafka/apis/12-heartbeat.ts";
import { syncGroup } from "#simulator/kafka/apis/14-sync-group.ts";
import { int16, int32, nullableBytes, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { clientOf, freshName, makeTopics, firstNodeOf } from "./topics.ts";

export interface GroupOptions {
  readonly bootstrap: string;
  readonly hasTopicAdministration: boolean;
  readonly rounds: number;
}

/**
 * SyncGroup with an assignment that may be null: the mock broker's is null when it answers with an
 * error.
 */
const LENIENT_SYNC = {
  ...syncGroup,
  response: struct({ throttleTimeMs: int32, errorCode: int16, assignment: nullableBytes }),
};

const MEMBERS = 10;
const SESSION_MS = 30_000;
const [NONE, REBALANCE_IN_PROGRESS, MEMBER_ID_REQUIRED] = [
  errorCode("NONE"),
  errorCode("REBALANCE_IN_PROGRESS"),
  errorCode("MEMBER_ID_REQUIRED"),
];

/**
 * Returns the milliseconds of each round, from `run` of a connected kafkajs consumer until it has
 * joined a new group.
 */
export async function joins(options: GroupOptions): Promise<number[]> {
  const client = clientOf(options.bootstrap);
  const { topics, deleteTopics } = await makeTopics(client, { ...options, topics: 1 });
  const durations: number[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const consumer = client.consumer({ groupId: freshName(), maxWaitTimeInMs: 100 });
    const joined = new Promise<void>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, () => resolve());
    });
    await consumer.connect();
    await consumer.subscribe({ topics });
    const beginMs = performance.now();
    await consumer.run({ eachMessage: async () => {} });
    await joined;
    durations.push(performance.now() - beginMs);
    await consumer.disconnect();
  }
  await deleteTopics();
  return durations;
}

/**
 * Returns the milliseconds of each round: nine members are in a group and a tenth sends its first
 * JoinGroup; the round ends when all ten have their assignment of one generation. The members do
 * only what the protocol asks, without a pause, so that no interval of a client is measured.
 */
export async function rebalances({ bootstrap, rounds }: GroupOptions): Promise<number[]> {
  const durations: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const group = await Group.open(bootstrap);
    await group.formGeneration(MEMBERS - 1);
    const beginMs = performance.now();
    await group.formGeneration(MEMBERS);
    durations.push(performance.now() - beginMs);
    group[Symbol.dispose]();
  }
  return durations;
}

class Group implements Disposable {
  readonly #members: readonly Member[];

  /** Opens the group with all connections that it will need. */
  static async open(bootstrap: string): Promise<Group> {
    const id = freshName();
    const coordinator = await coordinatorOf(bootstrap, id);
    const connections = Array.from({ length: MEMBERS }, () => WireConnection.open(coordinator));
    return new Group((await Promise.all(connections)).map((one) => new Member(id, one)));
  }

  private constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Waits until the first `count` members are in one generation together. */
  async formGeneration(count: number): Promise<void> {
    const members = this.#members.slice(0, count);
    const isFormed = (): boolean =>
      members.every(({ generation, size }) => {
        return size === count && generation === members[0]?.generation;
      });
    await Promise.all(members.map((member) => member.participate(isFormed)));
  }

  [Symbol.dispose](): void {
    for (const member of this.#members) member.connection[Symbol.dispose]();
  }
}

class Member {
  readonly connection: WireConnection;
  /** The generation of its assignment; -1 while it has none. */
  generation = -1;
  /** The number of members of the group that the assignment is for. */
  size = 0;
  readonly #group: string;
  #id = "";

  constructor(group: string, connection: WireConnection) {
    this.#group = group;
    this.connection = connection;
  }

  async participate(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      if (this.generation === -1) await this.#join();
      else await this.#beat();
    }
  }

  async #join(): Promise<void> {
    const joined = await this.connection.call(joinGroup, 5, {
      groupId: this.#group,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: SESSION_MS,
      memberId: this.#id,
      groupInstanceId: null,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: metadataOf("range") }],
    });
    this.#id = joined.memberId;
    if (joined.errorCode === MEMBER_ID_REQUIRED) return await this.#join();
    expectNoError("JoinGroup", joined.errorCode);
    const size = String(joined.members.length);
    const synced = await this.connection.call(LENIENT_SYNC, 3, {
      groupId: this.#group,
      generationId: joined.generationId,
      memberId: this.#id,
      groupInstanceId: null,
      assignments: joined.members.map(({ memberId }) => ({
        memberId,
        assignment: Buffer.from(size),
      })),
    });
    if (synced.errorCode === REBALANCE_IN_PROGRESS) return;
    expectNoError("SyncGroup", synced.errorCode);
    this.generation = joined.generationId;
    this.size = Number(String(synced.assignment));
  }

  async #beat(): Promise<void> {
    const beaten = await this.connection.call(heartbeat, 3, {
      groupId: this.#group,
      generationId: this.generation,
      memberId: this.#id,
      groupInstanceId: null,
    });
    if (beaten.errorCode === REBALANCE_IN_PROGRESS) this.generation = -1;
    else expectNoError("Heartbeat", beaten.errorCode);
  }
}

function expectNoError(api: string, code: number): void {
  if (code !== NONE) throw new Error(`${api} answered error ${code}`);
}

/**
 * Asks until the coordinator is known, since the first group of a new cluster has to wait for it.
 */
async function coordinatorOf(bootstrap: string, key: string): Promise<WireAddress> {
  using connection = await WireConnection.open(firstNodeOf(bootstrap));
  for (;;) {
    const found = await connection.call(findCoordinator, 2, { key, keyType: 0 });
    if (found.errorCode === NONE) return { host: found.host, port: found.port };
  }
}
