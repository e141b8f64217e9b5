import kafkajs from "kafkajs";
import type { EachBatchPayload } from "kafkajs";

import { messageOf } from "#consumer/errors.ts";
import type { Assignment, BatchHandler, Log, UnreadableHandler } from "#consumer/ports.ts";
import { partitionKey } from "#consumer/adapters/kafka/assignments.ts";
import type { Assignments } from "#consumer/adapters/kafka/assignments.ts";
import { takeRaw, work } from "./delivery.ts";
import type { Delivery } from "./delivery.ts";
import { saysAssignmentLost } from "#consumer/adapters/kafka/errors.ts";
import type { VerifiedBatches } from "#consumer/adapters/kafka/records/reading.ts";
import type { Standstills } from "./standstills.ts";
import { createSerialQueue } from "./serial-queue.ts";

export interface DispatcherOptions {
  readonly assignments: Assignments;
  readonly handle: BatchHandler;
  readonly unreadable: UnreadableHandler;
  readonly standstills: Pick<Standstills, "note" | "forget">;
  readonly log: Log;
  readonly partitionsConcurrentMax: number;
  /** The number of records of all handlers together; each partition at work has an equal share. */
  readonly recordsInFlightMax: number;
  readonly bytesInFlightMax: number;
  readonly heartbeatIntervalMs: number;
  /** The time until a standstill is looked at again, in milliseconds. Defaults to 15,000. */
  readonly standstillRetryMs?: number;
  /** Returns true while a batch may have been fetched under an earlier generation. */
  readonly maybeStale: () => boolean;
  /** Called when the broker said that this member owns nothing any more. */
  readonly onLost: (reason: string) => void;
}

/**
 * Hands batches of kafkajs to the handler, those of one partition one after another, and pauses and resumes
 * partitions so that a slow one does not hold up the others.
 */
export interface Dispatcher {
  /** The `eachBatch` of kafkajs. */
  deliver(payload: EachBatchPayload): Promise<void>;
  /** Accepts no new batch from now on; resolves when every handler has ended. */
  drain(): Promise<void>;
  /**
   * Sends the last commit of every handler that has something to commit. The partitions belong to this member until
   * the group is joined again; the commit carries the generation, so the broker refuses one that arrives too late.
   */
  commitLast(): void;
  /** Looks again at the partitions that stand still, after a new assignment. */
  lookAgain(): void;
  /** Forgets the handlers that still run: their partitions are not fetched again. */
  close(): void;
}

/**
 * The time that kafkajs waits for a handler, in milliseconds. It fetches from a broker again only when every batch of
 * the last fetch was handled, so a slow partition would hold up all others. After this time the partition is paused
 * instead.
 */
const DETACH_MS = 50;
/** The size of a record that can always be held, however small the share of a partition is. */
const RECORD_BYTES_MIN = 16 * 1024 * 1024;
/** The time between two looks at waiting partitions, beside those when a handler ends, in milliseconds. */
const WAKE_INTERVAL_MS = 200;
/**
 * The delay before a position that could not be read is looked at again, since another replica may have better bytes.
 */
const STANDSTILL_RETRY_MS = 15_000;

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { assignments, log, partitionsConcurrentMax, recordsInFlightMax } = options;
  const running = new Map<string, Delivery>();
  const ends = new Set<Promise<void>>();
  /** The partitions that wait, paused, until fewer are at work. */
  const waiting = new Map<string, () => void>();
  let waking: NodeJS.Timeout | undefined;
  /** The partitions that stand still, paused until they are looked at again. */
  const standing = new Map<
    string,
    { readonly resume: () => void; readonly timer: NodeJS.Timeout }
  >();
  const draining = new AbortController();
  const verified: VerifiedBatches = new Map();
  const deliveryOptions = {
    ...options,
    limits: {
      countMax: Math.floor(recordsInFlightMax / partitionsConcurrentMax),
      bytesMax: Math.floor(options.bytesInFlightMax / partitionsConcurrentMax),
      recordBytesMax: Math.max(options.bytesInFlightMax, RECORD_BYTES_MIN),
    },
    verified,
    reading: createSerialQueue(),
    largeRecords: createSerialQueue(),
    draining: draining.signal,
  };
  let beat: (() => Promise<void>) | undefined;
  let beating: NodeJS.Timeout | undefined;

  /**
   * Begins a delivery. Resolves when kafkajs may fetch the next records, which need not wait for the answer to a
   * commit.
   */
  function begin(payload: EachBatchPayload, assignment: Assignment): Promise<void> {
    const key = partitionKey(assignment.topic, assignment.partition);
    const complete = Promise.withResolvers<void>();
    const delivery: Delivery = { end: complete.promise, isComplete: false };
    running.set(key, delivery);
    beat = () => payload.heartbeat();
    beating ??= setInterval(() => void heartbeat(), options.heartbeatIntervalMs / 2).unref();
    const onComplete = (): void => {
      delivery.isComplete = true;
      complete.resolve();
    };
    const end = work(payload, assignment, delivery, onComplete, deliveryOptions).finally(() => {
      ends.delete(end);
      running.delete(key);
      // The callback holds the whole batch, and the table that held the delivery may survive many garbage
      // collections.
      delete delivery.commitLast;
      if (delivery.standsStill === true) stand(assignment, delivery.resume ?? payload.pause());
      else delivery.resume?.();
      wake();
      if (running.size === 0) {
        clearInterval(beating);
        beating = undefined;
      }
    });
    ends.add(end);
    delivery.end = end;
    return Promise.race([end, complete.promise]);
  }

  /**
   * Keeps a partition paused that stands still. It does not count as one at work, so the others are read however many
   * stand still.
   */
  function stand({ topic, partition }: Assignment, resume: () => void): void {
    if (draining.signal.aborted) return;
    const key = partitionKey(topic, partition);
    const retryMs = options.standstillRetryMs ?? STANDSTILL_RETRY_MS;
    // The bytes that could not be read may have been deleted meanwhile, and no record may have come since.
    const nothingThere = (): void => {
      standing.delete(key);
      options.standstills.forget(topic, partition);
    };
    const timer = setTimeout(() => {
      standing.set(key, { resume: noop, timer: setTimeout(nothingThere, retryMs).unref() });
      resume();
    }, retryMs).unref();
    standing.set(key, { resume, timer });
  }

  function lookAgain(): void {
    for (const [key, { resume, timer }] of standing) {
      clearTimeout(timer);
      standing.delete(key);
      resume();
    }
  }

  /**
   * Counts the partitions at work. Those that only wait for the answer to a commit hold their records, too, so they
   * count beyond `partitionsConcurrentMax`.
   */
  function busy(): number {
    const complete = [...running.values()].filter(({ isComplete }) => isComplete).length;
    return running.size - Math.min(complete, partitionsConcurrentMax);
  }

  function wait(key: string, resume: () => void): void {
    waiting.set(key, resume);
    waking ??= setInterval(wake, WAKE_INTERVAL_MS).unref();
  }

  /**
   * Resumes as many waiting partitions as may be at work. It runs at every end of a handler and at an interval, since
   * a partition that was resumed may have nothing to read, or belong to another member by now, and then never wakes
   * the next.
   */
  function wake(): void {
    let free = partitionsConcurrentMax - busy();
    for (const [key, resume] of waiting) {
      if (free <= 0) break;
      free -= 1;
      waiting.delete(key);
      resume();
    }
    if (waiting.size === 0) {
      clearInterval(waking);
      waking = undefined;
    }
  }

  /** Sends a heartbeat while handlers run, because kafkajs sends them only between fetches. */
  async function heartbeat(): Promise<void> {
    try {
      await beat?.();
    } catch (error) {
      if (saysAssignmentLost(error)) {
        options.onLost(messageOf(error));
      }
    }
  }

  return {
    async deliver(payload) {
      const { partition, topic } = payload.batch;
      const key = partitionKey(topic, partition);
      clearTimeout(standing.get(key)?.timer);
      standing.delete(key);
      const complete = running.get(key);
      if (complete?.isComplete === true) await endOrDetach(complete.end);
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
        // A handler of an earlier assignment still works on these records; they are fetched again at its end.
        takeRaw(payload);
        former.resume = payload.pause();
        return;
      }
      if (busy() >= partitionsConcurrentMax) {
        takeRaw(payload);
        wait(key, payload.pause());
        return;
      }
      await endOrDetach(begin(payload, assignment));
      const delivery = running.get(key);
      if (delivery?.isComplete === false) {
        delivery.resume = payload.pause();
      }
    },
    async drain() {
      draining.abort();
      log.debug("broker.draining", { partitions: running.size });
      await Promise.all(ends);
    },
    commitLast() {
      for (const { commitLast } of running.values()) commitLast?.();
    },
    lookAgain,
    close() {
      draining.abort();
      for (const { timer } of standing.values()) clearTimeout(timer);
      standing.clear();
      waiting.clear();
      running.clear();
      clearInterval(beating);
      clearInterval(waking);
    },
  };
}

async function endOrDetach(end: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const detach = setTimeout(resolve, DETACH_MS);
  await Promise.race([end, late]);
  clearTimeout(detach);
}

/** Makes the error by which kafkajs joins the group again at once, instead of at its next heartbeat. */
function rejoin(): Error {
  const error = new kafkajs.KafkaJSError("the assignment was lost", { retriable: true });
  return Object.assign(error, { type: "REBALANCE_IN_PROGRESS" });
}

function noop(): void {}
