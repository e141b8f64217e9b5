/** What the broker applied of the consumer protocol. Times are those of the moment in which it was applied, not in which it was answered. */
export type ProtocolEvent = OffsetCommitted | RecordsFetched | GenerationFormed;

interface Applied {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/**
 * One partition of an OffsetCommit. A commit that a fault rule refused before it was applied is not here, one whose reply
 * was lost is; neither are commits within a transaction.
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
  /** Name of the error that it was answered with; null: it was accepted. */
  readonly error: string | null;
}

/** One partition of the answer to a Fetch that holds records. The answer can still be lost on its way. */
export interface RecordsFetched extends Applied, Place {
  readonly type: "records-fetched";
  readonly node: number;
  readonly clientId: string;
  /** Of the first record that was asked for and is there. */
  readonly offset: bigint;
  /** The one after the last record. */
  readonly nextOffset: bigint;
}

/** The leader of the group has assigned, or the last member has gone. */
export interface GenerationFormed extends Applied {
  readonly type: "generation-formed";
  readonly group: string;
  readonly generation: number;
  /** Empty when nobody is left. */
  readonly members: readonly GenerationMember[];
}

interface GenerationMember {
  readonly memberId: string;
  readonly clientId: string;
  /** What the leader assigned, as it came. */
  readonly assignment: Uint8Array;
}
