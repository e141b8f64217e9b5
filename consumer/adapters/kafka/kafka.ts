import { aborted } from "#consumer/async/abort.ts";
import { setTimeout as sleep } from "node:timers/promises";

import type { Consumer, Producer, RecordMetadata } from "kafkajs";

import { ConsumerError } from "#consumer/errors.ts";
import type { Broker, DependencyState, Metrics } from "#consumer/ports.ts";
import { createAssignments } from "./assignments.ts";
import { createKafkaClient } from "./client.ts";
import type { KafkaClient, KafkaClientOptions } from "./client.ts";
import { createDispatcher } from "./delivery/dispatcher.ts";
import type { Dispatcher } from "./delivery/dispatcher.ts";
import { toConsumerError } from "./errors.ts";
import { RAW_RECORDS } from "./fetching/fetch-answer.ts";
import { createFetching } from "./fetching/fetching.ts";
import { createGenerations } from "./generations.ts";
import { partitionerWithLeader } from "./fetching/leaders.ts";
import type { Place } from "./fetching/leaders.ts";
import { createStandstills } from "./delivery/standstills.ts";
import { createPartitionWatch, standstillAfterMs } from "./fetching/watch.ts";

/** The longest time to leave the group and close connections in order, in milliseconds. Then they are cut. */
const LEAVE_MS_MAX = 3000;
const FETCH_BYTES_MIN = 10_485_760;
/** The retries for a leader or coordinator that moves. When they are spent the whole client is replaced. */
const CONSUMER_RETRY = { initialRetryTime: 100, maxRetryTime: 2000, retries: 8 };

export interface KafkaBrokerOptions extends KafkaClientOptions {
  readonly metrics: Pick<Metrics, "gauge">;
  /** The time for which a partition that stands still is left alone, in milliseconds. Defaults to 15,000. */
  readonly standstillRetryMs?: number;
}

/**
 * Creates a Kafka broker by kafkajs, for one session: when it crashes, `consume` rejects and nothing is left running.
 * A new broker then begins with fresh credentials. The restart of kafkajs itself is never used, since it can come
 * after a stop.
 *
 * Rejects with "broker-authentication", "broker-denied" or "broker-unavailable"; with "internal" for records that it
 * cannot read.
 */
export function createKafkaBroker(options: KafkaBrokerOptions): Broker {
  const { kafka: config, log, standstillRetryMs } = options;
  const standstills = createStandstills(options);
  const watch = createPartitionWatch({
    ...options,
    topics: config.topics,
    standstillMs: standstillAfterMs(config.maxWaitMs),
    standstills,
  });
  const fetching = createFetching(config.groupId, () => watch);
  const assignments = createAssignments();
  const stopped = new AbortController();
  let state: DependencyState = notReady(`connecting to ${config.brokers.join(", ")}`);
  let client: Promise<KafkaClient> | undefined;
  let consumer: Consumer | undefined;
  let dispatcher: Dispatcher | undefined;
  let producer: Promise<Producer> | undefined;
  let starting: Promise<unknown> = Promise.resolve();
  let stopping: Promise<void> | undefined;
  /** The time when the group's coordinator answered last, on the monotonic clock. */
  let heardMs = performance.now();

  const openClient = () => {
    stopped.signal.throwIfAborted();
    client ??= createKafkaClient(options, stopped.signal);
    return client;
  };
  const lose = (reason: string) => {
    if (!stopped.signal.aborted) dispatcher?.commitLast();
    assignments.revoke(reason);
    watch.lost();
    standstills.forgetAll();
    fetching.interrupt();
    state = notReady(reason);
  };

  const silent = () =>
    `the coordinator of ${config.groupId} has not answered for ${Math.round(silenceMs())} ms`;
  const silenceMs = () => performance.now() - heardMs;

  async function start(member: Consumer, deliver: Dispatcher["deliver"]): Promise<void> {
    await member.connect();
    state = notReady(`joining the group ${config.groupId}`);
    await member.subscribe({ topics: [...config.topics], fromBeginning: true });
    await member.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: config.partitionsConcurrentMax,
      eachBatch: deliver,
    });
  }

  async function connectProducer(): Promise<Producer> {
    const { kafka } = await openClient();
    const connecting = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: partitionerWithLeader,
      retry: CONSUMER_RETRY,
    });
    await connecting.connect();
    return connecting;
  }

  async function leave(): Promise<void> {
    await starting.catch(() => undefined);
    await consumer?.disconnect();
    await (await producer?.catch(() => undefined))?.disconnect();
  }

  async function stop(): Promise<void> {
    stopped.abort(new ConsumerError("broker-unavailable", "broker: stopped"));
    dispatcher?.close();
    lose("stopped");
    watch.close();
    const left = new AbortController();
    const tooLong = sleep(LEAVE_MS_MAX, undefined, { signal: left.signal }).then(
      () => log.warn("broker.leave-timed-out", { afterMs: LEAVE_MS_MAX }),
      () => undefined,
    );
    await Promise.race([leave().catch(() => undefined), tooLong]);
    left.abort();
    const opened = await client?.catch(() => undefined);
    opened?.close();
  }

  return {
    async consume(handle, unreadable = async () => undefined) {
      const failed = Promise.withResolvers<never>();
      failed.promise.catch(() => undefined);
      let deaf: NodeJS.Timeout | undefined;
      try {
        const { kafka } = await openClient();
        const generations = createGenerations(config.requestTimeoutMs);
        consumer = kafka.consumer({
          groupId: config.groupId,
          sessionTimeout: config.sessionTimeoutMs,
          rebalanceTimeout: config.rebalanceTimeoutMs,
          heartbeatInterval: config.heartbeatIntervalMs,
          maxBytesPerPartition: config.maxBytesPerPartition,
          maxBytes: Math.max(FETCH_BYTES_MIN, config.maxBytesPerPartition),
          maxWaitTimeInMs: config.maxWaitMs,
          partitionAssigners: [fetching.assigner],
          allowAutoTopicCreation: false,
          rackId: RAW_RECORDS,
          retry: { ...CONSUMER_RETRY, restartOnFailure: async () => false },
        });
        dispatcher = createDispatcher({
          ...config,
          ...(standstillRetryMs !== undefined && { standstillRetryMs }),
          assignments,
          handle,
          unreadable,
          standstills,
          log,
          maybeStale: () => generations.maybeStale(),
          onLost: lose,
        });
        const deliver: Dispatcher["deliver"] = async (payload) => dispatcher?.deliver(payload);
        const { events } = consumer;
        consumer.on(events.GROUP_JOIN, ({ payload }) => {
          assignments.grant(payload.memberAssignment);
          standstills.forgetAll();
          dispatcher?.lookAgain();
          watch.assigned(placesOf(payload.memberAssignment), fetching);
          heardMs = performance.now();
          state = { ready: true };
          const { isLeader, memberAssignment, memberId } = payload;
          log.info("broker.joined", {
            group: config.groupId,
            memberAssignment,
            memberId,
            isLeader,
          });
        });
        consumer.on(events.HEARTBEAT, () => {
          heardMs = performance.now();
        });
        consumer.on(events.REBALANCING, () => {
          generations.fetchersStopped();
          lose("the group is rebalancing");
        });
        consumer.on(events.FETCH_START, ({ payload }) =>
          generations.fetchStarted(String(payload.nodeId)),
        );
        consumer.on(events.REQUEST, ({ payload }) => {
          // The assignments are revoked before kafkajs knows the new generation, so that nothing can be committed
          // under it.
          if (payload.apiName === "JoinGroup") {
            generations.changed();
            assignments.revoke("the group is rebalancing");
          }
        });
        consumer.on(events.CRASH, ({ payload }) => {
          lose(`lost: ${payload.error.message}`);
          failed.reject(toConsumerError(payload.error, "consume"));
        });
        starting = start(consumer, deliver);
        await Promise.race([starting, failed.promise, aborted(stopped.signal)]);
        // kafkajs itself would ask a coordinator that does not answer for minutes.
        deaf = setInterval(() => {
          if (!state.ready || silenceMs() < 2 * config.sessionTimeoutMs) return;
          failed.reject(new ConsumerError("broker-unavailable", `broker: ${silent()}`));
        }, config.heartbeatIntervalMs).unref();
        await Promise.race([failed.promise, aborted(stopped.signal)]);
      } catch (error) {
        if (stopped.signal.aborted) {
          return;
        }
        const failure = toConsumerError(error, "connect and join");
        lose(failure.message);
        throw failure;
      } finally {
        clearInterval(deaf);
      }
    },
    async publish({ headers, key, topic, value }) {
      const sent = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      const connecting = (producer ??= connectProducer());
      try {
        const member = await connecting;
        // One record is sent at a time: of several, kafkajs may report a part as sent.
        const messages = [{ key, value: sent, headers: presentHeaders(headers) }];
        const answer = await member.send({ topic, acks: -1, messages });
        requireAcknowledged(answer, topic);
      } catch (error) {
        await connecting.catch(() => {
          // The producer could not even connect: the next record makes a new one.
          if (producer === connecting) {
            producer = undefined;
          }
        });
        throw toConsumerError(error, `publish to ${topic}`);
      }
    },
    async drain() {
      await dispatcher?.drain();
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
    get standstills() {
      return standstills.present;
    },
    get state() {
      return state.ready && silenceMs() > config.sessionTimeoutMs ? notReady(silent()) : state;
    },
  };
}

/**
 * Requires an acknowledgement. kafkajs resolves `send` with an empty answer, without having sent the record, when its
 * metadata lacks the partition of the key: only an answer that names a partition says that the broker has the record.
 */
function requireAcknowledged(answer: readonly RecordMetadata[], topic: string): void {
  const [first, ...more] = answer;
  if (first?.topicName === topic && first.errorCode === 0 && more.length === 0) return;
  throw new ConsumerError(
    "broker-unavailable",
    `broker: publish to ${topic}: no partition acknowledged the record`,
  );
}

/**
 * Replaces absent header values, at which kafkajs throws a TypeError; types do not hold for what comes from a broker.
 */
function presentHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const given: [string, string | null | undefined][] = Object.entries(headers);
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? ""]));
}

function placesOf(assignment: Readonly<Record<string, readonly number[]>>): Place[] {
  return Object.entries(assignment).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

function notReady(reason: string): DependencyState {
  return { ready: false, reason };
}
