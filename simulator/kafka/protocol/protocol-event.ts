/**
 * Something of the consumer protocol that the broker applied. Times are those of the moment in
 * which it was applied, and not in which it was answered.
 */
export type ProtocolEvent = OffsetCommitted | RecordsFetched | GenerationFormed;

interface Applied {
  /** The time, in milliseconds since the epoch. */
  readonly atMs: number;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/**
 * One partition of an OffsetCommit. Commits whose reply was lost are included. Commits that a fault
 * rule refused before they were applied are not, and neither are commits within a transaction.
 */
export interface OffsetCommitted extends Applied, Place {
  readonly type: "offset-committed";
  readonly node: number;
  readonly group: string;
  readonly memberId: string;
  readonly generation: number;
  readonly clientId: string;
  /** The next offset to be read. */
  readonly offset: bigint;
  /** The name of the error in the answer; null when the commit was accepted. */
  readonly error: string | null;
}

/**
 * One partition of the answer to a Fetch that holds records. The answer can still be lost on its
 * way.
 */
export interface RecordsFetched extends Applied, Place {
  readonly type: "records-fetched";
  readonly node: number;
  readonly clientId: string;
  /** The offset of the first requested record that is there. */
  readonly offset: bigint;
  /** The offset after the last record. */
  readonly nextOffset: bigint;
}

/** The leader of the group has assigned, or the last member has left. */
export interface GenerationFormed extends Applied {
  readonly type: "generation-formed";
  readonly group: string;
  readonly generation: number;
  /** The members; empty when none is left. */
  readonly members: readonly GenerationMember[];
}

interface GenerationMember {
  readonly memberId: string;
  readonly clientId: string;
  /** The bytes that the leader assigned, unchanged. */
  readonly assignment: Uint8Array;
}
