import { setTimeout as sleep } from "node:timers/promises";

import type { EachBatchPayload } from "kafkajs";

import { withRetries } from "#consumer/async/retry.ts";
import { hasCode, messageOf } from "#consumer/errors.ts";
import type { Assignment, Log } from "#consumer/ports.ts";
import { assignmentLost, partitionKey } from "#consumer/adapters/kafka/assignments.ts";
import { saysAssignmentLost, toConsumerError } from "#consumer/adapters/kafka/errors.ts";

/** One assignment of one partition, as a commit needs it. */
export interface CommitOwner {
  readonly assignment: Assignment;
  readonly isOurs: () => boolean;
  /** Called when the broker said that this member owns nothing any more. */
  readonly onLost: (reason: string) => void;
}

const COMMIT_DELAYS_MS = [100, 400];

/**
 * Commits `nextOffset` as long as this batch owns the partition, and retries twice. kafkajs takes the member and the
 * generation at the moment of the call, so the ownership is checked in the same step: a batch of an earlier epoch can
 * never commit under the present generation. Throws "assignment-lost", or what the broker answered.
 */
export function commitOwned(
  payload: EachBatchPayload,
  nextOffset: bigint,
  { assignment, isOurs, onLost }: CommitOwner,
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
      // Otherwise the commit was sent under an earlier generation, and its answer says nothing about the present one.
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

/**
 * Sends one commit just before the assignment is revoked, without waiting for the answer. It does not check the
 * assignment, which is revoked in the next step: the broker refuses a commit that arrives after the generation has
 * ended.
 */
export function commitBeforeRevoke(
  payload: EachBatchPayload,
  nextOffset: bigint,
  assignment: Assignment,
  log: Log,
): void {
  const { topic, partition } = assignment;
  send(payload, nextOffset, assignment).catch((error: unknown) =>
    log.debug("commit.late", { topic, partition, error }),
  );
}

/**
 * Sends a commit: the only place of the consumer that does. The `commitOffsets` of a kafkajs consumer is not used,
 * because it resolves without committing once a stop has begun.
 */
async function send(
  payload: EachBatchPayload,
  nextOffset: bigint,
  { partition, topic }: Assignment,
): Promise<void> {
  const partitions = [{ partition, offset: String(nextOffset) }];
  await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions }] });
}
