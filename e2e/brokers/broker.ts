/** The broker as scenarios see it: one of this process, or a real one. Offsets are the broker's. */
export interface Broker extends AsyncDisposable {
  /** `host:port` of each node, as the configuration of the consumer has it. */
  readonly bootstrap: readonly string[];
  createTopic(name: string, partitions: number): Promise<void>;
  /** Appends and waits for the acknowledgement. Gives where it went. */
  produce(topic: string, record: ProducedRecord): Promise<Position>;
  /** Everything that the topic holds, by partition, then offset. */
  read(topic: string): Promise<StoredRecord[]>;
  /** The offset after the last record, for each partition. */
  endOffsets(topic: string): Promise<ReadonlyMap<number, bigint>>;
  /** What the group committed; a partition that it never committed is absent. */
  committedOffsets(group: string, topic: string): Promise<ReadonlyMap<number, bigint>>;
  /** Present members and the partitions that each was given. */
  members(group: string): Promise<readonly GroupMember[]>;
  /** What clients did, oldest first: connections that they opened, requests by name. */
  clientActivity(): readonly ClientActivity[];
  /** Called after every entry of `clientActivity`; returns the end of the subscription. */
  subscribe(listener: (activity: ClientActivity) => void): () => void;
}

export interface ProducedRecord {
  readonly key: string | null;
  readonly value: string | Uint8Array | null;
  /** Default: chosen from the key, or round robin without one. */
  readonly partition?: number;
}

export interface Position {
  readonly partition: number;
  readonly offset: bigint;
}

export interface StoredRecord extends Position {
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}

export interface ClientActivity {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Protocol name of a request such as `JoinGroup`, or one of the two connection events. */
  readonly what: string;
  readonly peer: string;
  readonly detail?: string;
}
