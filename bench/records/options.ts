export interface ReadOptions {
  /** The `host:port` of a listener with SCRAM and without TLS. */
  readonly bootstrap: string;
  readonly group: string;
  /** The number of records to read. */
  readonly records: number;
  /** The ids of the incidents that the records are about. */
  readonly incidents: readonly string[];
  /** The start of all incidents in seconds, which is part of the key. */
  readonly startedOn: number;
  /** The directory of the history. */
  readonly directory: string;
}

export const PARTITIONS = 4;

/** The credentials of a benchmark's broker, which nothing else can reach. */
export const CREDENTIALS = { username: "bench", password: "bench" };
