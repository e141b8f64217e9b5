/** The compressions that a producer may ask for. */
export const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type Codec = (typeof CODECS)[number];

/** The way in which a client reaches the broker. */
export interface ClientConnection {
  readonly bootstrap: string;
  /** Selects SASL_SSL with SCRAM-SHA-512. Absent: plaintext. */
  readonly secure?: {
    /** The path of the authority's PEM. */
    readonly ca: string;
    readonly username: string;
    readonly password: string;
  };
}

/** One record, with its bytes in base64, as it travels to the clients' programs. */
export interface ClientRecord {
  readonly key: string | null;
  readonly value: string | null;
  /** The headers in the order in which they were sent. A name may occur twice. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly timestampMs: number;
}

export interface ProduceTask {
  readonly connection: ClientConnection;
  /** The topics. Each has one partition and receives all records. */
  readonly topics: readonly { readonly topic: string; readonly codec: Codec }[];
  readonly records: readonly ClientRecord[];
}

export interface ConsumeTask {
  readonly connection: ClientConnection;
  readonly topics: readonly string[];
  /** The number of records in every topic. */
  readonly count: number;
}

export interface MemberTask {
  readonly connection: ClientConnection;
  readonly group: string;
  readonly topic: string;
  /** `range` or `roundrobin`, as the protocol names them. */
  readonly assignor: string;
}

/** A client that is ready to be used. */
export interface Client {
  readonly name: string;
  /** The versions of the client and of the library under it. */
  readonly version: string;
  /** The codecs that it can write and read here. */
  readonly codecs: readonly Codec[];
  /** True when it can neither set a record's timestamp nor write bytes that are not text. */
  readonly isTextual?: boolean;
  produce(task: ProduceTask): Promise<void>;
  /** Returns the records by topic, in offset order. */
  consume(task: ConsumeTask): Promise<Readonly<Record<string, readonly ClientRecord[]>>>;
  /** Joins a group in a process of its own. Absent when the client has no such assignor. */
  join?(task: MemberTask): Member;
}

/** One member of a group, in a process. */
export interface Member extends AsyncDisposable {
  readonly client: string;
  /** The partitions that it reports as its own; undefined until it received an assignment. */
  readonly assigned: readonly number[] | undefined;
  /** Leaves the group and ends. */
  leave(): Promise<void>;
  /** Sends SIGKILL. */
  kill(): Promise<void>;
}

/** The reason why a client is not available. */
export interface Absent {
  readonly name: string;
  readonly reason: string;
}
