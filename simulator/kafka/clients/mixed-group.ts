import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import { RequestReader } from "#simulator/kafka/wire/reader.ts";
import type { Client, ClientConnection, Member, MemberTask } from "./client.ts";

const PARTITIONS = 12;
const DEADLINE_MS = 60_000;
const POLL_MS = 20;

export interface MixedGroupOptions {
  readonly cluster: KafkaCluster;
  readonly connection: ClientConnection;
  /** The two clients. The first one leads. */
  readonly clients: readonly [Client, Client];
  readonly assignor: string;
  readonly printLine: (line: string) => void;
}

/**
 * Runs members of two clients in one group: they join one after the other, one leaves, one is
 * killed. After every step each partition must have exactly one owner, according to the members and
 * to the broker. Throws otherwise.
 */
export async function runMixedGroup(options: MixedGroupOptions): Promise<void> {
  const { cluster, connection, clients, assignor, printLine } = options;
  const [leading, other] = clients;
  const topic = `mixed-${leading.name}-${assignor}`;
  cluster.createTopic({ name: topic, partitions: PARTITIONS });
  const task = { connection, group: topic, topic, assignor };
  await using started = new AsyncDisposableStack();
  const members: Member[] = [];
  const step = async (what: string): Promise<void> => {
    const counts = await assignedCounts(cluster, topic, members);
    printLine(
      `${what}: ${members.map(({ client }, index) => `${client} ${counts[index]}`).join(", ")}`,
    );
  };
  const join = async (client: Client): Promise<Member> => {
    const member = started.use(joined(client, task));
    members.push(member);
    await step(`${client.name} joins`);
    return member;
  };
  const without = (member: Member): void => void members.splice(members.indexOf(member), 1);

  const first = await join(leading);
  const second = await join(other);
  await join(leading);
  await join(other);
  without(second);
  await second.leave();
  await step(`${second.client} leaves`);
  without(first);
  await first.kill();
  await step(`${first.client}, who led, is killed`);
  await join(leading);
}

function joined(client: Client, task: MemberTask): Member {
  if (client.join === undefined) throw new RangeError(`${client.name} cannot join`);
  return client.join(task);
}

/** Waits until the members own every partition once, and returns how many each has. */
async function assignedCounts(
  cluster: KafkaCluster,
  group: string,
  members: readonly Member[],
): Promise<number[]> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const { state, members: known } = cluster.group(group);
    const told = members.map((member) => member.assigned ?? []);
    if (state === "Stable") {
      const assigned = known.map(({ assignment }) => partitionsOf(assignment));
      if (!isPartition(assigned)) {
        throw new Error(`the leader assigned ${JSON.stringify(assigned)} of ${PARTITIONS}`);
      }
      if (members.length === known.length && isSame(told, assigned)) {
        return told.map((partitions) => partitions.length);
      }
    }
    if (Date.now() > deadline) {
      throw new Error(`never: every partition owned once; ${state}, ${JSON.stringify(told)}`);
    }
    await sleep(POLL_MS);
  }
}

/** Tells whether the members report what the leader assigned, in any order. */
function isSame(told: readonly (readonly number[])[], assigned: readonly (readonly number[])[]) {
  return isDeepStrictEqual(sortedShares(told), sortedShares(assigned));
}

function sortedShares(shares: readonly (readonly number[])[]): string[] {
  return shares.map((share) => share.toSorted((a, b) => a - b).join()).toSorted();
}

/** Tells whether every partition is in exactly one of the shares. */
function isPartition(shares: readonly (readonly number[])[]): boolean {
  const all = shares.flat().toSorted((a, b) => a - b);
  return all.length === PARTITIONS && all.every((partition, index) => partition === index);
}

/** Reads a ConsumerProtocolAssignment of at most one topic: version, topics, user data. */
function partitionsOf(assignment: Buffer): number[] {
  if (assignment.length === 0) return [];
  const reader = RequestReader.from(assignment);
  reader.int16();
  const topics = Array.from({ length: reader.count(false) ?? 0 }, () => {
    reader.string(false);
    return Array.from({ length: reader.count(false) ?? 0 }, () => reader.int32());
  });
  return topics.flat();
}
