import { metadataOf } from "#simulator/kafka/parity/wire-member.ts";
import { WireConnection } from "#simulator/kafka/parity/wire-connection.ts";
import type { WireAddress } from "#simulator/kafka/parity/wire-connection.ts";
import { findCoordinator } from "#simulator/kafka/apis/10-find-coordinator.ts";
import { joinGroup } from "#simulator/kafka/apis/11-join-group.ts";
import { heartbeat } from "#simulator/kafka/apis/12-heartbeat.ts";
import { syncGroup } from "#simulator/kafka/apis/14-sync-group.ts";
import { int16, int32, nullableBytes, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { clientOf, freshName, makeTopics, targetOf } from "./topics.ts";

export interface GroupOptions {
  readonly bootstrap: string;
  readonly hasTopicAdministration: boolean;
  readonly rounds: number;
}

/** With an assignment that may be null: the mock broker's is where it answers an error. */
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

/** Milliseconds by round, from `run` of a kafkajs consumer that is connected until it has joined a new group. */
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
 * Milliseconds by round: nine members are in a group, the tenth sends its first JoinGroup; until all ten have their
 * assignment of one generation. The members do nothing but what the protocol asks, and ask for it without a pause, so
 * that no client's interval is measured.
 */
export async function rebalances({ bootstrap, rounds }: GroupOptions): Promise<number[]> {
  const durations: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const group = await Group.open(bootstrap);
    await group.settle(MEMBERS - 1);
    const beginMs = performance.now();
    await group.settle(MEMBERS);
    durations.push(performance.now() - beginMs);
    group[Symbol.dispose]();
  }
  return durations;
}

class Group implements Disposable {
  readonly #members: readonly Member[];

  /** With all connections that it will need. */
  static async open(bootstrap: string): Promise<Group> {
    const id = freshName();
    const target = await coordinatorOf(bootstrap, id);
    const connections = Array.from({ length: MEMBERS }, () => WireConnection.open(target));
    return new Group((await Promise.all(connections)).map((one) => new Member(id, one)));
  }

  private constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Until the first `count` members are in one generation together. */
  async settle(count: number): Promise<void> {
    const members = this.#members.slice(0, count);
    const isSettled = (): boolean =>
      members.every(({ generation, size }) => {
        return size === count && generation === members[0]?.generation;
      });
    await Promise.all(members.map((member) => member.live(isSettled)));
  }

  [Symbol.dispose](): void {
    for (const member of this.#members) member.connection[Symbol.dispose]();
  }
}

class Member {
  readonly connection: WireConnection;
  /** Of the assignment that it has; -1 while it has none. */
  generation = -1;
  /** Of the group that the assignment is for. */
  size = 0;
  readonly #group: string;
  #id = "";

  constructor(group: string, connection: WireConnection) {
    this.#group = group;
    this.connection = connection;
  }

  async live(isOver: () => boolean): Promise<void> {
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

/** Asked again until it is known: the first group of a new cluster has to wait for it. */
async function coordinatorOf(bootstrap: string, key: string): Promise<WireAddress> {
  using connection = await WireConnection.open(targetOf(bootstrap));
  for (;;) {
    const found = await connection.call(findCoordinator, 2, { key, keyType: 0 });
    if (found.errorCode === NONE) return { host: found.host, port: found.port };
  }
}
