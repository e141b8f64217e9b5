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
  /** mkdir -p, then fsync of every directory above it: another pod may have made one and not have synced it. */
  makeDirectory(path: string): Promise<void>;
  /** O_CREAT | O_EXCL: EEXIST when the name is taken. */
  createExclusive(path: string): Promise<WritableFile>;
  /** The whole content. ENOENT when absent; EISDIR, ELOOP (a symbolic link) or ENXIO where the name is no file's. */
  read(path: string): Promise<Uint8Array>;
  /** The content from `offset` to the present end, at most `bytesMax` (default all): empty when nothing was added. */
  readFrom(path: string, offset: number, bytesMax?: number): Promise<Uint8Array>;
  /** link(2): a second name for a file; EEXIST when the new name is taken. Atomic at the server. */
  link(existing: string, added: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** When the file server last changed the content, by its own clock: milliseconds since the epoch. ENOENT when absent. */
  modifiedMs(path: string): Promise<number>;
  /** Names in a directory, in no order. A cache may leave out fresh ones: never proves absence. */
  list(path: string): Promise<string[]>;
  /** The same names one after another, never all of them in memory; a change meanwhile may be seen or not. */
  listEach(path: string): AsyncIterable<string>;
  /** fsync of the directory, so that its names are durable. */
  syncDirectory(path: string): Promise<void>;
  /** True when the root is a mount of its own (its device differs from its parent's). */
  isMount(): Promise<boolean>;
}

// -------------------------------------------------------------------------------------------- broker

export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  /** Position in the partition. */
  readonly offset: bigint;
  readonly key: Uint8Array | null;
  /** null is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array | undefined>>;
  /** Milliseconds since the epoch, as the broker has it. Never used to judge the age of an event. */
  readonly timestampMs: number;
}

/**
 * The right to work on one partition: given by one assignment of one generation, gone with it. Every
 * batch carries the one it was fetched under (its epoch).
 */
export interface Assignment {
  readonly topic: string;
  readonly partition: number;
  /** Grows with every assignment that this process receives; never reused. */
  readonly epoch: number;
  /** Aborts when the partition is revoked or the group is left: reason is ConsumerError "assignment-lost". */
  readonly signal: AbortSignal;
}

export interface Batch {
  readonly assignment: Assignment;
  /** In offset order. Offsets may have gaps (compaction, transactions); empty where all positions before `nextOffset` hold none. */
  readonly records: readonly SourceRecord[];
  /** The position after the batch, to be committed when all its records are done: after the last one there may be others that hold none. */
  readonly nextOffset: bigint;
  /**
   * Commits `nextOffset` (the first offset not done) for this partition. Resolves when the broker
   * acknowledged it. Throws "assignment-lost" instead of committing for a partition that is not ours any more.
   */
  commit(nextOffset: bigint): Promise<void>;
  /**
   * `prefix` gives the first offset not done. It is asked when the group begins to rebalance, in the step before the
   * assignment's signal aborts, so that what was done is still committed under the generation that ends. Absent where
   * a broker does not tell.
   */
  beforeRevoke?(prefix: () => bigint | undefined): void;
  /** The handler ends before all is committed; what it commits afterwards moves no position. Absent where that makes no difference. */
  leave?(): void;
}

/**
 * Resolves when every record of the batch is terminal and committed, or when only dead letters and commits are left, which
 * it sees to by itself; the next batch of the partition waits for it.
 */
export type BatchHandler = (batch: Batch) => Promise<void>;

export interface OutgoingRecord {
  readonly topic: string;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** An assigned partition, or a topic of several, that is not read any further, while the others are. */
export interface Standstill {
  readonly topic: string;
  /** undefined: the topic as a whole. */
  readonly partition: number | undefined;
  /** The position that is not passed; undefined where the partition as a whole cannot be read. */
  readonly offset: bigint | undefined;
  readonly cause: StandstillCause;
  /** One line for a person: what was found. */
  readonly detail: string;
  /** Since when, on the wall clock. */
  readonly sinceMs: number;
}

type StandstillCause =
  /** What lies at the position is damaged, or in a form that this client does not read: only an operator gets past it. */
  | "unreadable"
  /** It would take more memory than one batch may. */
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
  /** Of what lies there: other bytes at the same position have another. */
  readonly fingerprint: string;
  readonly cause: StandstillCause;
  readonly detail: string;
}

/**
 * Asked again and again as long as a partition stands still at these positions. Resolves with the position to read on from when
 * they are to be passed: the broker commits that. undefined, or an error: they stand.
 */
export type UnreadableHandler = (found: UnreadablePositions) => Promise<bigint | undefined>;

export interface Broker {
  /**
   * Connects, joins the group and hands batches to `handle` (several partitions at once) until `stop`. Heartbeats are
   * its own affair. Without `unreadable` nothing that cannot be read is ever passed. Rejects on a fault that only a fresh credential or a restart can mend; reconnects by itself otherwise.
   */
  consume(handle: BatchHandler, unreadable?: UnreadableHandler): Promise<void>;
  /** Resolves when all in-sync replicas have the record. */
  publish(record: OutgoingRecord): Promise<void>;
  /** Stops fetching; lets the handlers end (they see their assignment's signal only when it is really lost). */
  drain(): Promise<void>;
  /** Leaves the group and closes every connection. Idempotent. */
  stop(): Promise<void>;
  /** "joined" as soon as the group has given an assignment, with the reason otherwise. */
  readonly state: DependencyState;
  /** Assigned partitions that stand still. The pod is not ready as long as there is one. */
  readonly standstills: readonly Standstill[];
}

// ----------------------------------------------------------------------------- identity, secrets

export interface Identity {
  /** PEM. The pair always matches: during a rotation the old pair is kept until both new files are there. */
  readonly certificate: string;
  readonly privateKey: string;
  /** PEM bundle that signs our peers. */
  readonly authority: string;
  /** Common name, such as `sre.kafka-consumer-nonprod-k8s.kafka-consumer`. */
  readonly principal: string;
  readonly notAfterMs: number;
}

/** The SASL user name and password that the broker expects. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface IdentitySource {
  /** Throws "identity-unusable". */
  current(): Promise<Identity>;
  readonly state: DependencyState;
}

export interface Secrets {
  /** The present value. Throws "secret-denied" or "secret-unavailable". Never cached past a refusal of the broker. */
  fetch(name: string, signal?: AbortSignal): Promise<string>;
  readonly state: DependencyState;
}

// ------------------------------------------------------------------------------------------- actions

/** What became of one send, as far as this side can know. */
export type SendResult =
  | { readonly outcome: "done"; readonly detail: string }
  /** Refused for good: the same request will be refused again. */
  | { readonly outcome: "rejected"; readonly detail: string }
  /** Certainly not applied: never left this pod, or declared safe by the rule. */
  | { readonly outcome: "failed-not-applied"; readonly detail: string }
  /** May or may not have been applied. */
  | { readonly outcome: "in-doubt"; readonly detail: string };

/** What of an answer goes into outcome, log and dead letter: a part of each failure's, without credentials, or nothing. */
type KeepResponse = "on-failure" | "never";

export interface HttpAction {
  readonly type: "http";
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE" | "GET";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Statuses by which this endpoint declares that nothing was applied (such as 429 or 503). */
  readonly notAppliedStatuses: readonly number[];
  /** Present the Athenz identity by mTLS. */
  readonly useIdentity: boolean;
  /** Default on-failure. */
  readonly keepResponse?: KeepResponse | undefined;
}

export interface CommandAction {
  readonly type: "command";
  /** Executable and arguments; no shell. */
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** Of its output. Default on-failure. */
  readonly keepResponse?: KeepResponse | undefined;
}

export type Action = HttpAction | CommandAction;

export interface ActionSender {
  /**
   * Sends once: no retry, no redirect followed. Ends by itself at `deadlineMs` from now, then "in-doubt"
   * unless nothing was sent. Never throws for what the far side did.
   */
  send(action: Action, options: SendOptions): Promise<SendResult>;
}

export interface SendOptions {
  readonly idempotencyKey: string;
  /** Of this attempt, by W3C Trace Context: header `traceparent`, or variable TRACEPARENT of a command. */
  readonly traceparent: string;
  readonly deadlineMs: number;
}

// --------------------------------------------------------------------------------- what people read

export type Fields = Readonly<Record<string, unknown>>;

/** Structured log: `event` is a stable name in dotted words, `fields` never hold a secret. */
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
  /** undefined: there is nothing to show any more. */
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

export type GaugeName = "lag" | "lanes" | "history_entries" | "standstill";

/** How a dependency stands; `reason` is shown by /readyz. */
export type DependencyState =
  | { readonly ready: true }
  | { readonly ready: false; readonly reason: string };

// -------------------------------------------------------------------------------------------- health

/** What a pod depends on and must have before it may work. */
export type Dependency = "identity" | "secrets" | "history" | "broker";

/** The states of the process, in their order. */
export type ProcessState = "starting" | "running" | "draining" | "stopped";

/** What /livez shows. */
export interface LivenessReport {
  /** True unless the process has been in its state for longer than the deadline of that state. */
  readonly alive: boolean;
  readonly state: ProcessState;
  /** The time spent in this state, in milliseconds. */
  readonly stateAgeMs: number;
}

/** What /readyz shows. */
export interface ReadinessReport {
  /** True when the state is "running" and every dependency is ready. */
  readonly ready: boolean;
  readonly state: ProcessState;
  /** One line for a person: empty when ready, otherwise every reason, in the order in which to mend them. */
  readonly reason: string;
  readonly dependencies: Readonly<Record<Dependency, DependencyState>>;
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
