import { setTimeout as sleep } from "node:timers/promises";

import kafkajs, { type EachBatchPayload, type KafkaMessage } from "kafkajs";

import { ConsumerError, hasCode } from "../errors.ts";
import type { Assignment, Batch, BatchHandler, Log, SourceRecord } from "../ports.ts";
import { assignmentLost, type Assignments, partitionKey } from "./kafka-assignments.ts";
import { saysAssignmentLost, toConsumerError } from "./kafka-errors.ts";

export interface DeliveriesOptions {
  readonly assignments: Assignments;
  readonly handle: BatchHandler;
  readonly log: Log;
  readonly partitionsConcurrentMax: number;
  readonly heartbeatIntervalMs: number;
  /** True while a batch may have been fetched under an earlier generation. */
  readonly maybeStale: () => boolean;
  /** The broker said that this member owns nothing any more. */
  readonly onLost: (reason: string) => void;
}

/** Hands batches of kafkajs to the handler, each partition's one after another. */
export interface Deliveries {
  /** The `eachBatch` of kafkajs. */
  deliver(payload: EachBatchPayload): Promise<void>;
  /** Takes no new batch from now on; resolves when every handler has ended. */
  drain(): Promise<void>;
  /** Forgets the handlers that still run: their partitions are not fetched again. */
  close(): void;
}

/**
 * How long kafkajs waits for a handler. It fetches from a broker only when every batch of the last fetch was
 * handled, so a slow partition would hold up all others: after this the partition is paused instead.
 */
const DETACH_MS = 50;
/** Before a batch that failed is fetched again. */
const REDELIVERY_DELAY_MS = 1000;
const COMMIT_DELAYS_MS = [100, 400];

interface Delivery {
  /** Set when the partition was paused: fetches it again. */
  resume?: () => void;
}

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { assignments, log, partitionsConcurrentMax } = options;
  const running = new Map<string, Delivery>();
  const ends = new Set<Promise<void>>();
  /** Partitions that wait until fewer are at work. */
  const waiting = new Map<string, () => void>();
  const draining = new AbortController();
  let beat: (() => Promise<void>) | undefined;
  let beating: NodeJS.Timeout | undefined;

  function begin(payload: EachBatchPayload, assignment: Assignment): Promise<void> {
    const key = partitionKey(assignment.topic, assignment.partition);
    const delivery: Delivery = {};
    running.set(key, delivery);
    beat = () => payload.heartbeat();
    beating ??= setInterval(() => void heartbeat(), options.heartbeatIntervalMs / 2).unref();
    const end = work(payload, assignment, options, draining.signal).finally(() => {
      ends.delete(end);
      running.delete(key);
      delivery.resume?.();
      const [next] = waiting;
      if (next !== undefined) {
        waiting.delete(next[0]);
        next[1]();
      }
      if (running.size === 0) {
        clearInterval(beating);
        beating = undefined;
      }
    });
    ends.add(end);
    return end;
  }

  /** kafkajs beats between fetches only; here while handlers run, however long a fetch takes. */
  async function heartbeat(): Promise<void> {
    try {
      await beat?.();
    } catch (error) {
      if (saysAssignmentLost(error)) {
        options.onLost(error instanceof Error ? error.message : String(error));
      }
    }
  }

  return {
    async deliver(payload) {
      const { partition, topic } = payload.batch;
      const key = partitionKey(topic, partition);
      const assignment = assignments.find(topic, partition);
      if (options.maybeStale()) {
        return;
      }
      if (draining.signal.aborted) {
        payload.pause();
        return;
      }
      if (assignment === undefined) {
        throw rejoin();
      }
      const former = running.get(key);
      if (former !== undefined) {
        // A handler of an earlier epoch still works on these records: its end fetches them again.
        former.resume = payload.pause();
        return;
      }
      if (running.size >= partitionsConcurrentMax) {
        waiting.set(key, payload.pause());
        return;
      }
      const end = begin(payload, assignment);
      const attached = new AbortController();
      const detach = sleep(DETACH_MS, undefined, { signal: attached.signal }).catch(
        () => undefined,
      );
      await Promise.race([end, detach]);
      attached.abort();
      const delivery = running.get(key);
      if (delivery !== undefined) {
        delivery.resume = payload.pause();
      }
    },
    async drain() {
      draining.abort();
      log.debug("broker.draining", { partitions: running.size });
      await Promise.all(ends);
    },
    close() {
      draining.abort();
      waiting.clear();
      running.clear();
      clearInterval(beating);
    },
  };
}

/** Never rejects. */
async function work(
  payload: EachBatchPayload,
  assignment: Assignment,
  { assignments, handle, log, onLost }: DeliveriesOptions,
  draining: AbortSignal,
): Promise<void> {
  const { partition, topic } = assignment;
  const isOurs = () => assignments.find(topic, partition) === assignment;
  const batch = toBatch(payload, assignment, isOurs, onLost);
  try {
    await handle(batch);
    if (isOurs()) {
      payload.resolveOffset(payload.batch.messages.at(-1)?.offset ?? payload.batch.lastOffset());
    }
  } catch (error) {
    if (!isOurs() || draining.aborted) {
      log.debug("batch.abandoned", { topic, partition, error });
      return;
    }
    log.warn("batch.failed", { topic, partition, retryInMs: REDELIVERY_DELAY_MS, error });
    const over = AbortSignal.any([assignment.signal, draining]);
    await sleep(REDELIVERY_DELAY_MS, undefined, { signal: over }).catch(() => undefined);
  }
}

function toBatch(
  payload: EachBatchPayload,
  assignment: Assignment,
  isOurs: () => boolean,
  onLost: (reason: string) => void,
): Batch {
  const { partition, topic } = assignment;
  const records = payload.batch.messages.map((message) => toRecord(message, assignment));
  return {
    assignment,
    records,
    highWatermark: BigInt(payload.batch.highWatermark),
    async commit(nextOffset) {
      const first = records[0]?.offset ?? 0n;
      const last = records.at(-1)?.offset ?? 0n;
      if (nextOffset < first || nextOffset > last + 1n) {
        throw new ConsumerError(
          "internal",
          `${partitionKey(topic, partition)}: commit of ${String(nextOffset)} outside the batch ${String(first)} to ${String(last)}`,
        );
      }
      const offset = String(nextOffset);
      await commitOwned(payload, { topic, partition, offset }, assignment, isOurs, onLost);
      // A batch that fails after this is fetched from here, not from its start.
      if (isOurs() && nextOffset > first) {
        payload.resolveOffset(String(nextOffset - 1n));
      }
    },
  };
}

/**
 * kafkajs takes the member and generation at the moment of the call: in the same step the ownership is checked,
 * so that a batch of an earlier epoch can never commit under the present generation.
 */
async function commitOwned(
  payload: EachBatchPayload,
  { topic, partition, offset }: { topic: string; partition: number; offset: string },
  assignment: Assignment,
  isOurs: () => boolean,
  onLost: (reason: string) => void,
): Promise<void> {
  for (const delayMs of [...COMMIT_DELAYS_MS, undefined]) {
    assignment.signal.throwIfAborted();
    if (!isOurs()) {
      throw assignmentLost(assignment, "the partition was given away");
    }
    try {
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset }] }],
      });
      return;
    } catch (error) {
      if (saysAssignmentLost(error)) {
        const reason = error instanceof Error ? error.message : String(error);
        onLost(reason);
        throw assignmentLost(assignment, reason, error);
      }
      const failure = toConsumerError(error, `commit ${partitionKey(topic, partition)}`);
      if (delayMs === undefined || hasCode(failure, "broker-denied")) {
        throw failure;
      }
      await sleep(delayMs, undefined, { signal: assignment.signal }).catch(() => undefined);
    }
  }
}

function toRecord(
  { headers, key, offset, timestamp, value }: KafkaMessage,
  { partition, topic }: Assignment,
): SourceRecord {
  return {
    topic,
    partition,
    offset: BigInt(offset),
    key,
    value,
    headers: Object.fromEntries(
      Object.entries(headers ?? {}).map(([name, given]) => {
        // A name may come several times: the last one counts.
        const header = Array.isArray(given) ? given.at(-1) : given;
        return [name, typeof header === "string" ? Buffer.from(header) : (header ?? undefined)];
      }),
    ),
    timestampMs: Number(timestamp),
  };
}

/** By this kafkajs joins the group again at once, instead of at its next heartbeat. */
function rejoin(): Error {
  const error = new kafkajs.KafkaJSError("the assignment was lost", { retriable: true });
  return Object.assign(error, { type: "REBALANCE_IN_PROGRESS" });
}
