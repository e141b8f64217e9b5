import { setTimeout as sleep } from "node:timers/promises";

import type { EachBatchPayload } from "kafkajs";

import { withRetries } from "#consumer/async/retry.ts";
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
 * Commits `nextOffset` as long as this batch owns the partition. kafkajs takes the member and the generation at the
 * moment of the call, so the ownership is checked in the same step: a batch of an earlier epoch can never commit under
 * the present generation.
 */
function commitOwned(
  payload: EachBatchPayload,
  nextOffset: bigint,
  { assignment, isOurs, onLost }: Ownership,
): Promise<void> {
  const commit = async (): Promise<void> => {
    assignment.signal.throwIfAborted();
    if (!isOurs()) {
      throw assignmentLost(assignment, "the partition was given away");
    }
    try {
      await send(payload, nextOffset, assignment);
    } catch (error) {
      const place = partitionKey(assignment.topic, assignment.partition);
      if (!saysAssignmentLost(error)) throw toConsumerError(error, `commit ${place}`);
      const reason = messageOf(error);
      // Otherwise it was sent under an earlier generation, and says nothing about the present one.
      if (isOurs()) onLost(reason);
      throw assignmentLost(assignment, reason, error);
    }
  };
  return withRetries(commit, {
    sleep: (delayMs, signal) => sleep(delayMs, undefined, { signal }),
    giveUp: assignment.signal,
    delayAfter(error, failures) {
      const delayMs = COMMIT_DELAYS_MS[failures - 1];
      const isFinal = hasCode(error, "assignment-lost") || hasCode(error, "broker-denied");
      if (isFinal || delayMs === undefined) throw error;
      return delayMs;
    },
  });
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
