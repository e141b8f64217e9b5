import { guardBrokerChoice, guardConnections } from "./kafka-connections.ts";
import { guardFetchAnswers } from "./kafka-fetch-answer.ts";
import { internal } from "./kafka-internals.ts";

/**
 * Changes to kafkajs 2.2.4 itself, where no option reaches. It is no longer maintained, and its version is
 * pinned: each change names what it mends, and loading fails when its place has gone.
 */
export function guardKafkajs(): void {
  if (!guarded) {
    guarded = true;
    guardPendingRequests();
    guardConnections();
    guardBrokerChoice();
    guardOutOfRange();
    guardFetchAnswers();
  }
}

let guarded = false;

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

interface OffsetManager {
  resolvedOffsets: Record<string, Record<number, string>>;
  committedOffsets(): Record<string, Record<number, string>>;
  cluster: {
    logger: { error(message: string, fields: object): void };
    fetchTopicsOffset(
      topics: readonly object[],
    ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
  };
  setDefaultOffset(place: { topic: string; partition: number }): Promise<void>;
}

/**
 * src/network/requestQueue: a timer is started even with nothing pending, with the delay `throttledUntil - now`,
 * which is negative: Node makes that 1 ms and warns, and the timer starts itself again, for ever.
 */
function guardPendingRequests(): void {
  internal<RequestQueue>("network/requestQueue")(
    "scheduleCheckPendingRequests",
    () => scheduleOnlyIfPending,
  );
}

const PENDING_CHECK_MS = 10;

function scheduleOnlyIfPending(this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) {
    return;
  }
  const delayMs = Math.max(this.throttledUntil - Date.now(), PENDING_CHECK_MS);
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  }, delayMs);
}

/**
 * src/consumer/offsetManager: OFFSET_OUT_OF_RANGE commits -1 or -2 over the group's offset, whatever autoCommit
 * says. Here the position moves to the earliest record and the committed offset stays until a record is done:
 * what comes again is suppressed by the history, what is gone is told.
 */
function guardOutOfRange(): void {
  internal<OffsetManager>("consumer/offsetManager")("setDefaultOffset", () => seekEarliest);
}

async function seekEarliest(
  this: OffsetManager,
  { topic, partition }: { topic: string; partition: number },
): Promise<void> {
  const offset = this.resolvedOffsets[topic]?.[partition];
  const found = await this.cluster.fetchTopicsOffset([
    { topic, partitions: [{ partition }], fromBeginning: true },
  ]);
  const earliest = found
    .find((offsets) => offsets.topic === topic)
    ?.partitions.find((offsets) => offsets.partition === partition)?.offset;
  const resolved = this.resolvedOffsets[topic];
  const committed = this.committedOffsets()[topic];
  if (earliest === undefined || resolved === undefined || committed === undefined) {
    return;
  }
  const place = { topic, partition, offset, earliest };
  this.cluster.logger.error("Offset out of range: reading on from the earliest record", place);
  resolved[partition] = earliest;
  committed[partition] = earliest;
}
