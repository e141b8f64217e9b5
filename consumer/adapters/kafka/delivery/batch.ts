import { setTimeout as sleep } from "node:timers/promises";

import type { EachBatchPayload } from "kafkajs";

import { ConsumerError, hasCode, messageOf } from "#consumer/errors.ts";
import type { Assignment, Batch, Log } from "#consumer/ports.ts";
import { assignmentLost, partitionKey } from "#consumer/adapters/kafka/assignments.ts";
import { saysAssignmentLost, toConsumerError } from "#consumer/adapters/kafka/errors.ts";
import type { Reading } from "#consumer/adapters/kafka/records/reading.ts";

/** One assignment of one partition, as its batches need it. */
interface Ownership {
  readonly assignment: Assignment;
  readonly isOurs: () => boolean;
  /** The broker said that this member owns nothing any more. */
  readonly onLost: (reason: string) => void;
  /** Every record is terminal, and the commit that says so is on its way. */
  readonly onComplete: () => void;
  readonly log: Log;
}

/**
 * A batch of what was read from the position `first` on; what begins its last commit when the group is about to be joined
 * again; and what has it fetched again from the first position that is not committed.
 */
export function toBatch(
  payload: EachBatchPayload,
  first: bigint,
  { records, nextOffset: end }: Reading,
  ownership: Ownership,
): { batch: Batch; commitLast: () => void; rewind: () => void } {
  const { assignment, isOurs, log, onComplete } = ownership;
  const { partition, topic } = assignment;
  let terminalPrefix: (() => bigint | undefined) | undefined;
  let committed = first;
  let isLeft = false;
  const rewind = () => payload.resolveOffset(String(committed - 1n));
  const onLost = (reason: string) => {
    // What comes from there finds no assignment, and makes kafkajs join again.
    if (!isLeft) rewind();
    ownership.onLost(reason);
  };
  const batch: Batch = {
    assignment,
    records,
    nextOffset: end,
    async commit(nextOffset) {
      if (nextOffset < first || nextOffset > end) {
        throw new ConsumerError(
          "internal",
          `${partitionKey(topic, partition)}: commit of ${String(nextOffset)} outside the batch from ${String(first)} to before ${String(end)}`,
        );
      }
      const acknowledged = commitOwned(payload, nextOffset, { ...ownership, onLost });
      if (nextOffset === end && isOurs() && !isLeft) onComplete();
      await acknowledged;
      committed = nextOffset;
      // A batch that fails after this is fetched from here, not from its start.
      if (isOurs() && nextOffset > first && !isLeft) {
        payload.resolveOffset(String(nextOffset - 1n));
      }
    },
    beforeRevoke(prefix) {
      terminalPrefix = prefix;
    },
    leave() {
      isLeft = true;
    },
  };
  const commitLast = () => {
    const nextOffset = terminalPrefix?.();
    if (nextOffset === undefined || nextOffset <= committed || !isOurs()) return;
    // Not through the assignment, which is revoked in the next step: the generation of this moment is fenced by the broker.
    send(payload, nextOffset, assignment).catch((error: unknown) =>
      log.debug("commit.late", { topic, partition, error }),
    );
  };
  return { batch, commitLast, rewind };
}

const COMMIT_DELAYS_MS = [100, 400];

/**
 * kafkajs takes the member and generation at the moment of the call: in the same step the ownership is checked,
 * so that a batch of an earlier epoch can never commit under the present generation.
 */
async function commitOwned(
  payload: EachBatchPayload,
  nextOffset: bigint,
  { assignment, isOurs, onLost }: Ownership,
): Promise<void> {
  for (const delayMs of [...COMMIT_DELAYS_MS, undefined]) {
    assignment.signal.throwIfAborted();
    if (!isOurs()) {
      throw assignmentLost(assignment, "the partition was given away");
    }
    try {
      await send(payload, nextOffset, assignment);
      return;
    } catch (error) {
      if (saysAssignmentLost(error)) {
        const reason = messageOf(error);
        // Else it was sent under an earlier generation, and says nothing of the present one.
        if (isOurs()) onLost(reason);
        throw assignmentLost(assignment, reason, error);
      }
      const place = partitionKey(assignment.topic, assignment.partition);
      const failure = toConsumerError(error, `commit ${place}`);
      if (delayMs === undefined || hasCode(failure, "broker-denied")) {
        throw failure;
      }
      await sleep(delayMs, undefined, { signal: assignment.signal }).catch(() => undefined);
    }
  }
}

/** Not by the consumer's own commitOffsets: once a stop began that resolves without committing. */
async function send(
  payload: EachBatchPayload,
  nextOffset: bigint,
  { partition, topic }: Assignment,
): Promise<void> {
  const partitions = [{ partition, offset: String(nextOffset) }];
  await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions }] });
}
