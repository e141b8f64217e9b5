/** Compression that a producer may ask for. */
export const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type Codec = (typeof CODECS)[number];

/** How a client reaches the broker. */
export interface ClientConnection {
  readonly bootstrap: string;
  /** SASL_SSL with SCRAM-SHA-512. Absent: plaintext. */
  readonly secure?: {
    /** Path of the authority's PEM. */
    readonly ca: string;
    readonly username: string;
    readonly password: string;
  };
}

/** One record; bytes in base64, as it travels to the clients' programs. */
export interface ClientRecord {
  readonly key: string | null;
  readonly value: string | null;
  /** In the order they were sent; a name may come twice. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly timestampMs: number;
}

export interface ProduceTask {
  readonly connection: ClientConnection;
  /** Every topic has one partition and is given all records. */
  readonly topics: readonly { readonly topic: string; readonly codec: Codec }[];
  readonly records: readonly ClientRecord[];
}

export interface ConsumeTask {
  readonly connection: ClientConnection;
  readonly topics: readonly string[];
  /** Records of every topic. */
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
  /** Of the client and of the library under it. */
  readonly version: string;
  /** Those that it can write and read here. */
  readonly codecs: readonly Codec[];
  /** It cannot say when a record was made, nor write bytes that are no text. */
  readonly isTextual?: boolean;
  produce(task: ProduceTask): Promise<void>;
  /** Records by topic, in offset order. */
  consume(task: ConsumeTask): Promise<Readonly<Record<string, readonly ClientRecord[]>>>;
  /** Joins a group in a process of its own; absent where the client has no such assignor. */
  join?(task: MemberTask): Member;
}

/** One member of a group, in a process. */
export interface Member extends AsyncDisposable {
  readonly client: string;
  /** Partitions that it says are its own now; undefined until it was told. */
  readonly assigned: readonly number[] | undefined;
  /** Leaves the group and ends. */
  leave(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** Why a client is not here. */
export interface Absent {
  readonly name: string;
  readonly reason: string;
}
