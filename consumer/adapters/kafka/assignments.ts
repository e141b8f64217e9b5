import { ConsumerError } from "#consumer/errors.ts";
import type { Assignment } from "#consumer/ports.ts";

/** The partitions of each topic, as a member of a group is told. */
type MemberAssignment = Readonly<Record<string, readonly number[]>>;

/**
 * The partitions that this process may work on, with one assignment for each partition of each generation of the
 * group.
 */
export interface Assignments {
  /** Revokes all earlier assignments, and gives each partition a new one. */
  grant(memberAssignment: MemberAssignment): void;
  /** Aborts every assignment: nothing may be committed under it any more. */
  revoke(reason: string): void;
  find(topic: string, partition: number): Assignment | undefined;
  readonly size: number;
}

export function createAssignments(): Assignments {
  let epoch = 0;
  const held = new Map<string, { assignment: Assignment; lost: AbortController }>();

  function revoke(reason: string): void {
    const revoked = [...held.values()];
    held.clear();
    for (const { assignment, lost } of revoked) {
      lost.abort(assignmentLost(assignment, reason));
    }
  }

  return {
    grant(memberAssignment) {
      revoke("the group has a new generation");
      for (const [topic, partitions] of Object.entries(memberAssignment)) {
        for (const partition of partitions) {
          const lost = new AbortController();
          epoch += 1;
          const assignment = { topic, partition, epoch, signal: lost.signal };
          held.set(partitionKey(topic, partition), { assignment, lost });
        }
      }
    },
    revoke,
    find: (topic, partition) => held.get(partitionKey(topic, partition))?.assignment,
    get size() {
      return held.size;
    },
  };
}

export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${String(partition)}`;
}

export function assignmentLost(
  { topic, partition, epoch }: Assignment,
  reason: string,
  cause?: unknown,
): ConsumerError {
  return new ConsumerError(
    "assignment-lost",
    `${partitionKey(topic, partition)} (epoch ${String(epoch)}): ${reason}`,
    cause === undefined ? {} : { cause },
  );
}
