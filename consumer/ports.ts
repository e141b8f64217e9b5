/**
 * The side effects of the consumer, as small interfaces. The core (everything beside `adapters/`) knows
 * only these; `adapters/` holds the real ones, tests bring their own, and one contract suite runs on both.
 */

// ---------------------------------------------------------------------------------------------- time

export interface Clock {
  /** Wall clock, milliseconds since the epoch. Pods' clocks differ: compare only with an allowance for skew. */
  wallMs(): number;
  /** Monotonic, milliseconds, comparable only inside this process. */
  monotonicMs(): number;
  /** Resolves after `durationMs`, or rejects with `signal.reason` as soon as it aborts. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** 128 random bits as 32 hex digits: the nonce of one run of one attempt. */
  nonce(): string;
}

// ------------------------------------------------------------------------------------------- storage

/** One open file, written once from its start. */
export interface WritableFile {
  /** Appends all of `bytes`, or throws: a short write is continued until the end. */
  append(bytes: Uint8Array): Promise<void>;
  /** fdatasync(2). After it threw, what reached the disk is unknown and it must not be called again on this file. */
  dataSync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The file operations of the history volume; each is one system call or close to it, so that a
 * fault-injecting implementation can fail before, inside and after each. Paths are relative to the
 * volume's root, with `/`. Errors are Node's, with `code` ENOENT, EEXIST, EIO, ENOSPC, EROFS, ESTALE ...
 */
export interface Files {
  /**
   * Does mkdir -p, then an fsync of every directory above it, since another pod may have made one without syncing it.
   */
  makeDirectory(path: string): Promise<void>;
  /** Creates a file with O_CREAT | O_EXCL. Throws EEXIST when the name is taken. */
  createExclusive(path: string): Promise<WritableFile>;
  /**
   * Reads the whole content. Throws ENOENT when it is absent; EISDIR, ELOOP (a symbolic link) or ENXIO when the name
   * is not that of a file.
   */
  read(path: string): Promise<Uint8Array>;
  /**
   * Reads the content from `offset` to the present end, at most `bytesMax` bytes (default all); empty when nothing
   * was added.
   */
  readFrom(path: string, offset: number, bytesMax?: number): Promise<Uint8Array>;
  /**
   * Gives a file a second name by link(2), which is atomic at the server. Throws EEXIST when the new name is taken.
   */
  link(existing: string, added: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** rmdir(2): ENOTEMPTY while the directory has a name. */
  removeDirectory(path: string): Promise<void>;
  /**
   * Returns when the content last changed, by the clock of the file server, in milliseconds since the epoch. Throws
   * ENOENT when it is absent.
   */
  modifiedMs(path: string): Promise<number>;
  /**
   * Lists the names in a directory, in no order. A cache may leave out fresh names, so a list never proves an
   * absence.
   */
  list(path: string): Promise<string[]>;
  /**
   * Lists the same names one after another, without holding all of them in memory. A change meanwhile may be seen or
   * not.
   */
  listEach(path: string): AsyncIterable<string>;
  /** Does an fsync of the directory, so that its names are durable. */
  syncDirectory(path: string): Promise<void>;
  /** Returns true when the root is a mount of its own, which means that its device differs from its parent's. */
  isMount(): Promise<boolean>;
}

// -------------------------------------------------------------------------------------------- broker

export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  /** The position in the partition. */
  readonly offset: bigint;
  readonly key: Uint8Array | null;
  /** The value; null is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array | undefined>>;
  /**
   * The timestamp that the broker has, in milliseconds since the epoch. It never decides about the age of an event.
   */
  readonly timestampMs: number;
}

/**
 * The right to work on one partition. One assignment of one generation gives it, and it ends with that. Every batch
 * carries the assignment that it was fetched under.
 */
export interface Assignment {
  readonly topic: string;
  readonly partition: number;
  /**
   * The number of the assignment. It grows with every assignment that this process receives, and is never used again.
   */
  readonly epoch: number;
  /** Aborts when the partition is revoked or the group is left. The reason is a ConsumerError "assignment-lost". */
  readonly signal: AbortSignal;
}

export interface Batch {
  readonly assignment: Assignment;
  /**
   * The records in the order of their offsets. Offsets may have gaps (compaction, transactions); the list is empty
   * when the positions before `nextOffset` hold no records.
   */
  readonly records: readonly SourceRecord[];
  /**
   * The position after the batch, to be committed when all records are done. Positions without records may lie
   * between the last record and it.
   */
  readonly nextOffset: bigint;
  /**
   * Commits `nextOffset`, the first offset that is not done. Resolves when the broker has acknowledged it. Throws
   * "assignment-lost", and commits nothing, when the partition belongs to another member by now.
   */
  commit(nextOffset: bigint): Promise<void>;
  /**
   * Registers `prefix`, which returns the first offset that is not done. It is called when the group begins to
   * rebalance, in the step before the assignment's signal aborts, so that the work that was done is committed under
   * the generation that ends. Absent when the broker cannot tell.
   */
  beforeRevoke?(prefix: () => bigint | undefined): void;
  /**
   * Tells that the handler ends before all is committed: its later commits then move no position. Absent when that
   * makes no difference.
   */
  leave?(): void;
}

/**
 * Handles a batch. Resolves when every record is terminal and committed, or when only dead letters and commits are
 * left, which the handler then completes by itself. The next batch of the partition waits for it.
 */
export type BatchHandler = (batch: Batch) => Promise<void>;

export interface OutgoingRecord {
  readonly topic: string;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** An assigned partition, or one topic of several, that is not read any further while the others are. */
export interface Standstill {
  readonly topic: string;
  /** The partition; undefined when it is the topic as a whole. */
  readonly partition: number | undefined;
  /** The position where reading has stopped; undefined when the partition as a whole cannot be read. */
  readonly offset: bigint | undefined;
  readonly cause: StandstillCause;
  /** One line for a person that says what was found. */
  readonly detail: string;
  /** The beginning of the standstill, by the wall clock. */
  readonly sinceMs: number;
}

type StandstillCause =
  /**
   * The bytes at the position are damaged, or in a form that this client cannot read; only an operator gets past
   * them.
   */
  | "unreadable"
  /** The records would take more memory than one batch may. */
  | "too-large"
  /** The partition has no leader at present. */
  | "no-leader"
  /** Its leader, or the group's coordinator, does not answer. */
  | "unanswered"
  /** A broker answers with an error. */
  | "refused"
  /** The cluster has no such topic or partition. */
  | "missing";

/** Positions of an assigned partition that cannot be read. */
export interface UnreadablePositions {
  readonly assignment: Assignment;
  readonly offset: bigint;
  /** The first position after them. */
  readonly endOffset: bigint;
  /** A digest of the bytes at these positions: other bytes have another one. */
  readonly fingerprint: string;
  readonly cause: StandstillCause;
  readonly detail: string;
}

/**
 * Decides about positions that cannot be read; called again and again as long as a partition stands still there.
 * Resolves with the position to read on from, which the broker then commits, when the positions are to be skipped.
 * Resolves with undefined, or rejects, when they are not.
 */
export type UnreadableHandler = (found: UnreadablePositions) => Promise<bigint | undefined>;

export interface Broker {
  /**
   * Connects, joins the group and hands batches to `handle`, several partitions at once, until `stop`. The broker
   * sends the heartbeats by itself, and reconnects by itself. Without `unreadable`, no position that cannot be read
   * is ever skipped. Rejects on a fault that only fresh credentials or a restart can mend.
   */
  consume(handle: BatchHandler, unreadable?: UnreadableHandler): Promise<void>;
  /** Publishes a record. Resolves when all in-sync replicas have it. */
  publish(record: OutgoingRecord): Promise<void>;
  /**
   * Stops fetching, and resolves when the handlers have ended. The signal of their assignment aborts only when the
   * partition is really lost.
   */
  drain(): Promise<void>;
  /** Leaves the group and closes every connection. Idempotent. */
  stop(): Promise<void>;
  /** Ready as soon as the group has given an assignment; otherwise with the reason. */
  readonly state: DependencyState;
  /** The assigned partitions that stand still. The pod is not ready as long as there is one. */
  readonly standstills: readonly Standstill[];
}

// ----------------------------------------------------------------------------- identity, secrets

export interface Identity {
  /**
   * The certificate chain as PEM. Certificate and key always match: during a rotation the old pair is kept until both
   * new files are there.
   */
  readonly certificate: string;
  readonly privateKey: string;
  /** The PEM bundle of the authorities that sign the peers. */
  readonly authority: string;
  /** The common name, such as `sre.kafka-consumer-nonprod-k8s.kafka-consumer`. */
  readonly principal: string;
  readonly notAfterMs: number;
}

/** The SASL user name and password that the broker expects. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface IdentitySource {
  /** Returns the present identity. Throws "identity-unusable". */
  current(): Promise<Identity>;
  readonly state: DependencyState;
}

export interface Secrets {
  /**
   * Fetches the present value of a secret. Throws "secret-denied" or "secret-unavailable". A value that the broker
   * refused is never returned from a cache.
   */
  fetch(name: string, signal?: AbortSignal): Promise<string>;
  readonly state: DependencyState;
}

// ------------------------------------------------------------------------------------------- actions

/** The result of one send, as far as this side can know it. */
export type SendResult =
  | { readonly outcome: "done"; readonly detail: string }
  /** The request was refused, and would be refused again. */
  | { readonly outcome: "rejected"; readonly detail: string }
  /** The request was certainly not applied: it never left this pod, or the rule declares the answer safe. */
  | { readonly outcome: "failed-not-applied"; readonly detail: string }
  /** The request may or may not have been applied. */
  | { readonly outcome: "in-doubt"; readonly detail: string };

/**
 * Tells which part of an answer goes into outcome, log and dead letter: some of each failure, without credentials, or
 * nothing.
 */
type KeepResponse = "on-failure" | "never";

export interface HttpAction {
  readonly type: "http";
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE" | "GET";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** The statuses by which this endpoint declares that nothing was applied, such as 429 or 503. */
  readonly notAppliedStatuses: readonly number[];
  /** True when the Athenz identity is presented by mTLS. */
  readonly useIdentity: boolean;
  /** Defaults to "on-failure". */
  readonly keepResponse?: KeepResponse | undefined;
}

export interface CommandAction {
  readonly type: "command";
  /** The executable and its arguments; there is no shell. */
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** The same for the output of the command. Defaults to "on-failure". */
  readonly keepResponse?: KeepResponse | undefined;
}

export type Action = HttpAction | CommandAction;

export interface ActionSender {
  /**
   * Sends once, without a retry and without following a redirect. Ends by itself `deadlineMs` from now, then with
   * "in-doubt" unless nothing was sent. Never throws because of what the other side did.
   */
  send(action: Action, options: SendOptions): Promise<SendResult>;
}

export interface SendOptions {
  readonly idempotencyKey: string;
  /** The W3C Trace Context of this attempt: the header `traceparent`, or the variable TRACEPARENT of a command. */
  readonly traceparent: string;
  readonly deadlineMs: number;
}

// --------------------------------------------------------------------------------- what people read

export type Fields = Readonly<Record<string, unknown>>;

/** The structured log. `event` is a stable name of dotted words, and `fields` never hold a secret. */
export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
}

export interface Metrics {
  /** Adds to a counter of the closed set in metrics.ts. */
  count(name: CounterName, labels?: Readonly<Record<string, string>>, by?: number): void;
  /** Observes a duration, in milliseconds. */
  observe(name: HistogramName, valueMs: number): void;
  /** Sets a gauge; undefined removes it. */
  gauge(
    name: GaugeName,
    value: number | undefined,
    labels?: Readonly<Record<string, string>>,
  ): void;
}

export type CounterName =
  | "records" // result: matched | unmatched | undecodable | tombstone
  | "tags_dropped" // rule: what the tag broke
  | "actions" // result: done | rejected | failed-not-applied | in-doubt | suppressed | too-old | limited | manual
  | "claims" // result: linked | taken | own
  | "dead_letters" // reason
  | "commits" // result: acknowledged | lost
  | "storage_errors" // code
  | "log_lines_dropped"; // destination: stdout | file

export type HistogramName = "fsync" | "action" | "record";

export type GaugeName = "lag" | "lanes" | "history_entries" | "standstill" | "paused";

/** The state of a dependency; /readyz shows `reason`. */
export type DependencyState =
  | { readonly ready: true }
  | { readonly ready: false; readonly reason: string };

// -------------------------------------------------------------------------------------------- health

/** The dependencies that a pod must have before it may work. */
export type Dependency = "identity" | "secrets" | "history" | "broker";

/** The states of the process, in their order. */
export type ProcessState = "starting" | "running" | "draining" | "stopped";

/** The report that /livez shows. */
export interface LivenessReport {
  /** True unless the process has been in its state for longer than the deadline of that state. */
  readonly alive: boolean;
  readonly state: ProcessState;
  /** The time spent in this state, in milliseconds. */
  readonly stateAgeMs: number;
}

/** The report that /readyz shows. */
export interface ReadinessReport {
  /** True when the state is "running" and every dependency is ready. */
  readonly ready: boolean;
  readonly state: ProcessState;
  /** One line for a person: empty when ready, otherwise every reason, in the order in which to mend them. */
  readonly reason: string;
  readonly dependencies: Readonly<Record<Dependency, DependencyState>>;
  /** Set while an operator has paused the work. A paused pod stays ready, so that a rollout can complete. */
  readonly paused?: PauseReport;
}

/** An operator's order to pause. */
export interface PauseReport {
  readonly by: string;
  readonly reason: string;
  /** The time of the order, in milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** Called at every request to /livez and /readyz; both return at once and never throw. */
export interface HealthReports {
  liveness(): LivenessReport;
  readiness(): ReadinessReport;
}

/** Serves /livez, /readyz (200, or 503 with the report as JSON) and /metrics. */
export interface HealthServer {
  /**
   * Listens at the configured host and port; disposing the result closes the server. Rejects with
   * "bad-configuration" when the port is taken.
   */
  serve(reports: HealthReports): Promise<AsyncDisposable>;
}
