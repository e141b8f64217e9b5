import type { EachBatchPayload } from "kafkajs";

import { ConsumerError } from "#consumer/errors.ts";
import type { Batch, Log } from "#consumer/ports.ts";
import { partitionKey } from "#consumer/adapters/kafka/assignments.ts";
import { commitBeforeRevoke, commitOwned } from "./commit-offset.ts";
import type { CommitOwner } from "./commit-offset.ts";
import type { Reading } from "#consumer/adapters/kafka/records/reading.ts";

interface Ownership extends CommitOwner {
  /** Called when every record is terminal and the commit that says so has been sent. */
  readonly onComplete: () => void;
  readonly log: Log;
}

/**
 * Makes a batch of the records that were read from the position `first` on. `commitLast` sends its last commit, just
 * before the group is joined again; `rewind` has kafkajs fetch again from the first position that is not committed.
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
    // The records that are fetched again find no assignment, and make kafkajs join the group again.
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
          `${partitionKey(topic, partition)}: commit of ${String(nextOffset)} outside the batch ` +
            `from ${String(first)} to before ${String(end)}`,
        );
      }
      const acknowledged = commitOwned(payload, nextOffset, { ...ownership, onLost });
      if (nextOffset === end && isOurs() && !isLeft) onComplete();
      await acknowledged;
      committed = nextOffset;
      // A batch that fails after this is fetched again from here, not from its start.
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
    commitBeforeRevoke(payload, nextOffset, assignment, log);
  };
  return { batch, commitLast, rewind };
}
