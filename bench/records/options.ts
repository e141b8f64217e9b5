export interface ReadOptions {
  /** `host:port` of a listener with SCRAM and without TLS. */
  readonly bootstrap: string;
  readonly group: string;
  /** How many records there are to read. */
  readonly records: number;
  /** Ids of the incidents that they are about. */
  readonly incidents: readonly string[];
  /** Of all of them, in seconds: part of the key. */
  readonly startedOn: number;
  /** For the history. */
  readonly directory: string;
}

export const PARTITIONS = 4;

/** Of the broker of a benchmark, which nobody else can reach. */
export const CREDENTIALS = { username: "bench", password: "bench" };
