import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

import kafkajs from "kafkajs";
import type { PartitionAssigner } from "kafkajs";

import { answeredFailure, errorOf, unansweredFailure } from "./answers.ts";
import { closeUnanswered, isConnectionError } from "#consumer/adapters/kafka/connections.ts";
import type { Connection } from "#consumer/adapters/kafka/connections.ts";
import { internal } from "#consumer/adapters/kafka/internals.ts";
import { byTopic, leaderOf } from "./leaders.ts";
import type { KafkajsBroker, KafkajsCluster, Place } from "./leaders.ts";
import { hasPosition, resolvePositions } from "./positions.ts";
import type { PositionedGroup } from "./positions.ts";
import type { PartitionWatch, Reader } from "./watch.ts";

interface FetchingBroker extends KafkajsBroker {
  fetch(request: object): Promise<{
    readonly responses: readonly {
      readonly topicName: string;
      readonly partitions: readonly PartitionAnswer[];
    }[];
  }>;
}

interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
}

interface Coordinator {
  readonly connectionPool: { readonly pool: readonly Connection[] };
}

interface ConsumerGroup extends PositionedGroup<FetchingBroker> {
  readonly cluster: KafkajsCluster<FetchingBroker> & {
    findGroupCoordinator(of: { readonly groupId: string }): Promise<Coordinator>;
  };
  readonly subscriptionState: { isPaused(topic: string, partition: number): boolean };
  readonly isolationLevel: number;
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
  readonly maxWaitTime: number;
  readonly sessionTimeout: number;
  coordinator: Coordinator | null;
  readonly minBytes: number;
  readonly rackId: string;
  checkForStaleAssignment(): void;
  fetch(nodeId: string): Promise<object[]>;
  getNodeIds(): string[];
  heartbeat(options: object): Promise<void>;
  recoverFromFetch(error: unknown): Promise<void>;
  recoverFromOffsetOutOfRange(place: Place): Promise<void>;
}

/** The fetching of one kafkajs consumer. */
export interface Fetching extends Reader {
  /** The assigner to give to the consumer; kafkajs calls it with the cluster that is its own. */
  readonly assigner: PartitionAssigner;
  /**
   * Ends every fetch that is under way, with an empty result: the fetchers must end, and one may wait for a broker
   * that does not answer.
   */
  interrupt(): void;
}

interface State {
  readonly watch: () => PartitionWatch;
  readonly interruptions: Set<() => void>;
  group?: ConsumerGroup;
  nodeIds?: string;
}

/** A heartbeat may take one part of so many of a session, so that the next one is still in time. */
const HEARTBEATS = 3;

/** The state of each consumer, by its cluster. */
const states = new WeakMap<object, State>();

export function createFetching(groupId: string, watch: () => PartitionWatch): Fetching {
  const state: State = { watch, interruptions: new Set() };
  let cluster: Reader["cluster"] | undefined;
  return {
    assigner: (options) => {
      if (!isCluster(options.cluster)) throw new TypeError("kafkajs gives no cluster");
      cluster = options.cluster;
      states.set(options.cluster, state);
      return kafkajs.PartitionAssigners.roundRobin(options);
    },
    get cluster() {
      if (cluster === undefined) throw new TypeError("no consumer was made");
      return cluster;
    },
    isPaused: ({ topic, partition }) =>
      state.group?.subscriptionState.isPaused(topic, partition) ?? false,
    committed({ topic, partition }) {
      const offset = cluster?.committedOffsets({ groupId })[topic]?.[partition];
      return offset === undefined || BigInt(offset) < 0n ? undefined : BigInt(offset);
    },
    interrupt: () => interrupt(state),
  };
}

function isCluster(given: object): given is Reader["cluster"] {
  return "brokerPool" in given && "committedOffsets" in given;
}

function interrupt({ interruptions }: State): void {
  for (const end of interruptions) end();
}

/**
 * Patches src/consumer/consumerGroup: there, a fetch reads from one broker, but fails for all of its partitions when
 * one of them has no leader, no offset or any other error. The fetchers of all brokers are then stopped, and after
 * nine such failures the session is over; an error of leadership makes the whole group join again. Here each
 * partition, and each broker, fails alone.
 */
export function guardFetching(): void {
  const replace = internal<ConsumerGroup>("consumer/consumerGroup");
  replace("fetch", (fetch) => {
    return function fetchOwn(this: ConsumerGroup, nodeId) {
      const state = states.get(this.cluster);
      return state === undefined ? fetch.call(this, nodeId) : fetchFrom(nodeId, this, state);
    };
  });
  replace("heartbeat", (heartbeat) => {
    return function beat(this: ConsumerGroup, options) {
      return heartbeatInTime(this, () => heartbeat.call(this, options));
    };
  });
  replace("getNodeIds", (getNodeIds) => {
    return function nodeIds(this: ConsumerGroup) {
      const present = getNodeIds.call(this);
      const state = states.get(this.cluster);
      if (state !== undefined && state.nodeIds !== present.join()) {
        state.nodeIds = present.join();
        interrupt(state);
      }
      return present;
    };
  });
}

/** Bounds a heartbeat, which over a connection that does not answer would wait for longer than the session lasts. */
async function heartbeatInTime(group: ConsumerGroup, beat: () => Promise<void>): Promise<void> {
  const [connection] = group.coordinator?.connectionPool.pool ?? [];
  const socket = connection?.socket;
  const late = setTimeout(() => {
    if (connection !== undefined) closeUnanswered(connection, socket, "Heartbeat timed out");
  }, group.sessionTimeout / HEARTBEATS);
  try {
    await beat();
  } catch (error) {
    // An error that ends one fetcher ends all, since none may wait for an answer that does not come.
    const state = states.get(group.cluster);
    if (state !== undefined) interrupt(state);
    if (isConnectionError(error)) await findCoordinator(group);
    throw error;
  } finally {
    clearTimeout(late);
  }
}

/**
 * Finds the coordinator again. kafkajs asks a dead one until the session is over; the member can go on at the new
 * one, which knows the members of the group.
 */
async function findCoordinator(group: ConsumerGroup): Promise<void> {
  const { cluster, groupId, offsetManager } = group;
  const found = await cluster.findGroupCoordinator({ groupId }).catch(() => undefined);
  if (found === undefined || group.offsetManager !== offsetManager) return;
  group.coordinator = found;
  offsetManager.coordinator = found;
}

interface AskedPlace extends Place {
  readonly fetchOffset: string;
}

/** Fetches from one broker the partitions that it leads. The result is empty when the broker cannot be asked. */
async function fetchFrom(nodeId: string, group: ConsumerGroup, state: State): Promise<object[]> {
  const { cluster } = group;
  const watch = state.watch();
  state.group = group;
  try {
    const refreshing = cluster.refreshMetadataIfNecessary();
    // The other brokers are read while one is asked in vain.
    if (cluster.brokerPool.metadata === null) await refreshing;
    else refreshing.catch(() => undefined);
    group.checkForStaleAssignment();
  } catch (error) {
    await group.recoverFromFetch(error);
    return [];
  }
  const led = ledBy(nodeId, group, watch);
  const resolving = resolvePositions(group, watch);
  const asked = led
    .filter((place) => hasPosition(group, place))
    .map(({ topic, partition }) => {
      const fetchOffset = positionOf(group, { topic, partition });
      return { topic, partition, fetchOffset };
    });
  if (asked.length === 0) {
    const waited = sleep(group.maxWaitTime);
    await orInterrupted(
      resolving === undefined ? waited : Promise.race([resolving, waited]),
      state,
    );
    return [];
  }
  resolving?.catch(() => undefined);
  const { offsetManager } = group;
  const answer = await ask(nodeId, asked, group, state);
  // The group was joined again meanwhile, and the fetched records may belong to another member by now.
  if (answer === undefined || group.offsetManager !== offsetManager) return [];
  return await batchesOf(answer, asked, group, watch);
}

function ledBy(nodeId: string, group: ConsumerGroup, watch: PartitionWatch): Place[] {
  return group
    .assigned()
    .flatMap(({ topic, partitions }) =>
      partitions
        .map((partition) => ({ topic, partition }))
        .filter(
          (place) =>
            !group.subscriptionState.isPaused(topic, place.partition) &&
            watch.mayAsk(place) &&
            leaderOf(group.cluster, place) === nodeId,
        ),
    );
}

function positionOf({ offsetManager }: ConsumerGroup, { topic, partition }: Place): string {
  return String(offsetManager.nextOffset(topic, partition));
}

type Answer = Awaited<ReturnType<FetchingBroker["fetch"]>>;

/** Sends the request; returns undefined when there is no answer. */
async function ask(
  nodeId: string,
  asked: readonly AskedPlace[],
  group: ConsumerGroup,
  state: State,
): Promise<Answer | undefined> {
  const watch = state.watch();
  const { cluster, isolationLevel, maxBytes, maxBytesPerPartition, minBytes, rackId } = group;
  const progress = () =>
    cluster.brokerPool.brokers[nodeId]?.connectionPool.pool[1]?.socket?.bytesRead ?? 0;
  for (const place of asked) watch.asked(place, progress);
  const offsets = new Map(asked.map((place) => [`${place.topic}/${place.partition}`, place]));
  try {
    const broker = await cluster.findBroker({ nodeId });
    const fetched = broker.fetch({
      maxWaitTime: group.maxWaitTime,
      minBytes,
      maxBytes,
      isolationLevel,
      rackId,
      topics: byTopic(asked, ({ topic, partition }) => ({
        partition,
        fetchOffset: offsets.get(`${topic}/${partition}`)?.fetchOffset,
        maxBytes: maxBytesPerPartition,
      })),
    });
    return await orInterrupted(fetched, state);
  } catch (error) {
    if (!mayPass(error)) throw error;
    const failure = unansweredFailure(`Fetch from broker ${nodeId}`, error);
    for (const place of asked) watch.backOff(place, failure);
    return undefined;
  }
}

async function orInterrupted<Result>(
  awaited: Promise<Result>,
  { interruptions }: State,
): Promise<Result | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => resolve(undefined);
  interruptions.add(end);
  try {
    return await Promise.race([awaited, promise]);
  } finally {
    interruptions.delete(end);
    awaited.catch(() => undefined);
  }
}

async function batchesOf(
  { responses }: Answer,
  asked: readonly AskedPlace[],
  group: ConsumerGroup,
  watch: PartitionWatch,
): Promise<object[]> {
  const batches: object[] = [];
  for (const { topicName: topic, partitions } of responses) {
    for (const found of partitions) {
      const { partition, errorCode, highWatermark } = found;
      const place = asked.find((each) => each.topic === topic && each.partition === partition);
      if (place === undefined) continue;
      if (errorCode !== 0) {
        await recover(place, errorCode, group, watch);
        continue;
      }
      watch.answered(place, BigInt(highWatermark));
      const isMeant =
        !group.subscriptionState.isPaused(topic, partition) &&
        positionOf(group, place) === place.fetchOffset;
      if (isMeant) batches.push(new Batch(topic, place.fetchOffset, found));
    }
  }
  return batches;
}

/** Throws the error when it concerns the whole member, such as a right that it lacks. */
async function recover(
  place: AskedPlace,
  errorCode: number,
  group: ConsumerGroup,
  watch: PartitionWatch,
): Promise<void> {
  const error = errorOf(errorCode);
  if (!mayPass(error)) throw error;
  if (error.type !== "OFFSET_OUT_OF_RANGE") {
    watch.backOff(place, answeredFailure("Fetch", error));
    return;
  }
  try {
    await group.recoverFromOffsetOutOfRange(place);
  } catch (failure) {
    if (!mayPass(failure)) throw failure;
    watch.backOff(place, unansweredFailure("ListOffsets", failure));
  }
}

/**
 * Returns false for an error that trying again cannot mend: the session ends, and the next one begins with fresh
 * credentials.
 */
function mayPass(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const type: unknown = Reflect.get(error, "type");
  if (typeof type === "string" && type.endsWith("AUTHORIZATION_FAILED")) return false;
  return type !== undefined || Reflect.get(error, "retriable") === true;
}

const Batch: new (topic: string, fetchedOffset: string, found: PartitionAnswer) => object =
  createRequire(import.meta.url)("kafkajs/src/consumer/batch");
