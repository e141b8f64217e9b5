import type { AuthorizationOptions } from "#simulator/kafka/security/authorizer.ts";
import type { SaslMechanism } from "#simulator/kafka/security/users.ts";

export interface ListenerOptions {
  /** A unique name, such as `internal`. */
  readonly name: string;
  /** The address to bind. Defaults to 127.0.0.1. */
  readonly host?: string;
  /** The host that is announced to clients. Defaults to `host`. */
  readonly advertisedHost?: string;
  /** The ports of the nodes, in order. By default free ones are taken. */
  readonly ports?: readonly number[];
  /** The TLS settings. Absent: plaintext. */
  readonly tls?: ListenerTls;
  /** The SASL settings. Absent: everybody may connect without authentication. */
  readonly sasl?: ListenerSasl;
}

interface ListenerSasl {
  readonly mechanisms: readonly SaslMechanism[];
  /** `listener.name.NAME.connections.max.reauth.ms`. Defaults to the cluster's value. */
  readonly reauthenticationMsMax?: number;
}

export interface ListenerTls {
  /** The broker's certificate chain as PEM. */
  readonly cert: string;
  /** The key as PEM. */
  readonly key: string;
  /** The authority that signs the clients' certificates, as PEM. */
  readonly ca?: string;
  /**
   * Defaults to `none`. With `requested` or `required` the common name of a verified certificate is
   * the principal.
   */
  readonly clientCertificate?: "none" | "requested" | "required";
}

export interface TopicOptions {
  readonly name: string;
  /** The number of partitions. Defaults to the cluster's default. */
  readonly partitions?: number;
  /** Settings by Apache Kafka's names. DEVIATIONS.md says which ones have an effect. */
  readonly config?: Readonly<Record<string, string>>;
}

/** The options of a cluster. They are plain data, so that a command line can be mapped to them. */
export interface KafkaOptions {
  /** The number of nodes, with ids from 1. Defaults to 1. */
  readonly nodes?: number;
  /** Defaults to one plaintext listener named `plaintext`. */
  readonly listeners?: readonly ListenerOptions[];
  readonly topics?: readonly (string | TopicOptions)[];
  /** Passwords by user name. */
  readonly users?: Readonly<Record<string, string>>;
  /** The access control. By default everybody may do everything, until the first ACL is added. */
  readonly authorization?: AuthorizationOptions;
  /** Lets a Metadata request for an unknown topic create it. Defaults to true. */
  readonly autoCreateTopics?: boolean;
  /** The number of partitions of a topic that names none. Defaults to 1. */
  readonly partitionsDefault?: number;
  /** The number of replicas of every partition, at most the number of nodes. Defaults to 3. */
  readonly replicationFactor?: number;
  /** `message.max.bytes`. Defaults to 1048588, as in Apache Kafka. */
  readonly batchBytesMax?: number;
  /** `socket.request.max.bytes`. Defaults to 104857600, as in Apache Kafka. */
  readonly requestBytesMax?: number;
  /** `group.min.session.timeout.ms`. Defaults to 6000, as in Apache Kafka. */
  readonly sessionTimeoutMsMin?: number;
  /** `group.max.session.timeout.ms`. Defaults to 1800000, as in Apache Kafka. */
  readonly sessionTimeoutMsMax?: number;
  /** `group.initial.rebalance.delay.ms`. Defaults to 0 (Apache Kafka: 3000). */
  readonly initialRebalanceDelayMs?: number;
  /** `connection.failed.authentication.delay.ms`. Defaults to 100, as in Apache Kafka. */
  readonly failedAuthenticationDelayMs?: number;
  /** `connections.max.reauth.ms`: how long an authentication is valid. Defaults to 0: for ever. */
  readonly reauthenticationMsMax?: number;
  /** `log.retention.check.interval.ms`. Defaults to 300000, as in Apache Kafka. */
  readonly retentionCheckIntervalMs?: number;
  /**
   * The number of events of the consumer protocol (protocol/protocol-event.ts) that are kept. The
   * oldest are dropped first. Defaults to 0: none is recorded.
   */
  readonly protocolEventsMax?: number;
}

export type ClusterSettings = Required<Omit<KafkaOptions, "topics" | "users">>;

/** Fills in the defaults. Throws RangeError for values with which no cluster is possible. */
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
