import type { AuthorizationOptions } from "#simulator/kafka/security/authorizer.ts";
import type { SaslMechanism } from "#simulator/kafka/security/users.ts";

export interface ListenerOptions {
  /** Such as `internal`; unique. */
  readonly name: string;
  /** Address to bind. Default 127.0.0.1. */
  readonly host?: string;
  /** Host that clients are told. Default: `host`. */
  readonly advertisedHost?: string;
  /** Ports by node, in order. Default: free ones. */
  readonly ports?: readonly number[];
  /** Absent: plaintext. */
  readonly tls?: ListenerTls;
  /** Absent: everybody may use it without authentication. */
  readonly sasl?: ListenerSasl;
}

interface ListenerSasl {
  readonly mechanisms: readonly SaslMechanism[];
  /** `listener.name.NAME.connections.max.reauth.ms`. Default: the cluster's. */
  readonly reauthenticationMsMax?: number;
}

export interface ListenerTls {
  /** PEM, the chain of the broker. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** PEM, signs the clients' certificates. */
  readonly ca?: string;
  /** Default: `none`. With `requested` or `required` the common name of a verified certificate is the principal. */
  readonly clientCertificate?: "none" | "requested" | "required";
}

export interface TopicOptions {
  readonly name: string;
  /** Default: the cluster's. */
  readonly partitions?: number;
  /** By Apache Kafka's names; DEVIATIONS.md says which are obeyed. */
  readonly config?: Readonly<Record<string, string>>;
}

/** Plain data throughout, so that a command line can be mapped to it. */
export interface KafkaOptions {
  /** Number of nodes, with ids from 1. Default 1. */
  readonly nodes?: number;
  /** Default: one plaintext listener named `plaintext`. */
  readonly listeners?: readonly ListenerOptions[];
  readonly topics?: readonly (string | TopicOptions)[];
  /** Passwords by user name. */
  readonly users?: Readonly<Record<string, string>>;
  /** Default: everybody may do everything, until the first ACL is created. */
  readonly authorization?: AuthorizationOptions;
  /** Metadata about an unknown topic creates it. Default true. */
  readonly autoCreateTopics?: boolean;
  /** Partitions of a topic that names no number. Default 1. */
  readonly partitionsDefault?: number;
  /** Replicas of every partition, at most the number of nodes. Default 3. */
  readonly replicationFactor?: number;
  /** `message.max.bytes`. Default 1048588, as Apache Kafka. */
  readonly batchBytesMax?: number;
  /** `socket.request.max.bytes`. Default 104857600, as Apache Kafka. */
  readonly requestBytesMax?: number;
  /** `group.min.session.timeout.ms`. Default 6000, as Apache Kafka. */
  readonly sessionTimeoutMsMin?: number;
  /** `group.max.session.timeout.ms`. Default 1800000, as Apache Kafka. */
  readonly sessionTimeoutMsMax?: number;
  /** `group.initial.rebalance.delay.ms`. Default 0 (Apache Kafka: 3000). */
  readonly initialRebalanceDelayMs?: number;
  /** `connection.failed.authentication.delay.ms`. Default 100, as Apache Kafka. */
  readonly failedAuthenticationDelayMs?: number;
  /** `connections.max.reauth.ms`: how long an authentication is good for. Default 0: for ever. */
  readonly reauthenticationMsMax?: number;
  /** `log.retention.check.interval.ms`. Default 300000, as Apache Kafka. */
  readonly retentionCheckIntervalMs?: number;
  /** How many events of the consumer protocol (protocol/events.ts) are kept; the oldest go first. Default 0: none is recorded. */
  readonly protocolEventsMax?: number;
}

export type ClusterSettings = Required<Omit<KafkaOptions, "topics" | "users">>;

/** Throws RangeError for values that make no cluster. */
export function clusterSettings(options: KafkaOptions): ClusterSettings {
  const settings: ClusterSettings = {
    nodes: options.nodes ?? 1,
    listeners: options.listeners ?? [{ name: "plaintext" }],
    authorization: options.authorization ?? {},
    autoCreateTopics: options.autoCreateTopics ?? true,
    partitionsDefault: options.partitionsDefault ?? 1,
    replicationFactor: options.replicationFactor ?? 3,
    batchBytesMax: options.batchBytesMax ?? 1_048_588,
    requestBytesMax: options.requestBytesMax ?? 104_857_600,
    sessionTimeoutMsMin: options.sessionTimeoutMsMin ?? 6000,
    sessionTimeoutMsMax: options.sessionTimeoutMsMax ?? 1_800_000,
    initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? 0,
    failedAuthenticationDelayMs: options.failedAuthenticationDelayMs ?? 100,
    reauthenticationMsMax: options.reauthenticationMsMax ?? 0,
    retentionCheckIntervalMs: options.retentionCheckIntervalMs ?? 300_000,
    protocolEventsMax: options.protocolEventsMax ?? 0,
  };
  atLeastOne("nodes", settings.nodes);
  atLeastOne("partitionsDefault", settings.partitionsDefault);
  atLeastOne("replicationFactor", settings.replicationFactor);
  const names = settings.listeners.map((listener) => listener.name);
  if (names.length === 0 || new Set(names).size !== names.length) {
    throw new RangeError(`listeners: names must be given and unique, got [${names.join(", ")}]`);
  }
  return settings;
}

function atLeastOne(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`${name}: must be a whole number of at least 1, got ${value}`);
  }
}
