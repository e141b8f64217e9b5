import { setTimeout as sleep } from "node:timers/promises";

import { createKafkaBroker } from "#consumer/adapters/kafka/kafka.ts";
import { createMetrics } from "#consumer/adapters/metrics.ts";
import type { MetricsRegistry } from "#consumer/adapters/metrics.ts";
import type { Config } from "#consumer/config/load-config.ts";
import type {
  Batch,
  BatchHandler,
  Broker,
  Credentials,
  Log,
  UnreadableHandler,
} from "#consumer/ports.ts";
import { createAuthority } from "#fixtures/certificates.ts";

import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";

export const TOPIC = "bigpanda.incidents";
export const DEAD_LETTERS = "bigpanda.incidents.dead-letter";
export const GROUP = "sre-kafka-consumer";
export const CREDENTIALS: Credentials = { username: "sre-consumer", password: "correct horse" };

const DEADLINE_MS = 8000;

/** A consumer's broker connection that has been started. */
export interface StartedBroker {
  readonly broker: Broker;
  /** "ended", or the error with which `consume` rejected. It is pending until then. */
  readonly consuming: Promise<unknown>;
  /** The log lines: event and fields as JSON. */
  readonly lines: string[];
  readonly metrics: MetricsRegistry;
}

/**
 * The consumer's Kafka adapter and embedded clusters with TLS and SCRAM. Disposing ends them all.
 */
export interface KafkaHarness extends AsyncDisposable {
  startCluster(options?: {
    nodes?: number;
    partitions?: number;
    /** Defaults to 3. With 1, a partition has no leader while its node is dead. */
    replicationFactor?: number;
  }): Promise<KafkaCluster>;
  /** Starts a connection and consumes at once. Without a handler the caller begins to consume. */
  startBroker(
    cluster: KafkaCluster,
    handle: BatchHandler | undefined,
    options?: {
      credentials?: () => Promise<Credentials>;
      kafka?: Partial<Config["kafka"]>;
      /** Defaults to a handler that passes over no unreadable record. */
      unreadable?: UnreadableHandler;
      /** Called for every line, in addition to `lines`. */
      log?: (level: keyof Log, line: string) => void;
    },
  ): StartedBroker;
}

export async function createKafkaHarness(): Promise<KafkaHarness> {
  const authority = await createAuthority();
  const pair = await authority.issue({ commonName: "broker", ipAddresses: ["127.0.0.1"] });
  const started = new AsyncDisposableStack();
  return {
    async startCluster({ nodes = 1, partitions = 1, replicationFactor = 3 } = {}) {
      const cluster = await startKafka({
        nodes,
        replicationFactor,
        listeners: [
          {
            name: "sasl",
            tls: { cert: pair.certificatePem, key: pair.privateKeyPem },
            sasl: { mechanisms: ["SCRAM-SHA-512"] },
          },
        ],
        users: { [CREDENTIALS.username]: CREDENTIALS.password },
        topics: [{ name: TOPIC, partitions }, DEAD_LETTERS],
        autoCreateTopics: false,
        sessionTimeoutMsMin: 100,
      });
      return started.use(cluster);
    },
    startBroker(cluster, handle, options = {}) {
      const lines: string[] = [];
      const writing =
        (level: keyof Log) =>
        (event: string, fields: object = {}) => {
          const line = `${event} ${JSON.stringify(fields)}`;
          lines.push(line);
          options.log?.(level, line);
        };
      const metrics = createMetrics();
      const unused = { certificate: "", privateKey: "", principal: "", notAfterMs: 0 };
      const broker = createKafkaBroker({
        kafka: { ...kafkaConfig(cluster), ...options.kafka },
        credentials: options.credentials ?? (async () => CREDENTIALS),
        identity: {
          current: async () => ({ ...unused, authority: authority.certificatePem }),
          state: { ready: true },
        },
        log: {
          debug: writing("debug"),
          info: writing("info"),
          warn: writing("warn"),
          error: writing("error"),
        },
        metrics,
        standstillRetryMs: 200,
      });
      const consuming =
        handle === undefined
          ? new Promise(() => undefined)
          : broker.consume(handle, options.unreadable).then(
              () => "ended",
              (error: unknown) => error,
            );
      started.defer(() => broker.stop());
      return { broker, consuming, lines, metrics };
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** Polls every few milliseconds. Throws after eight seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !condition(); await sleep(5)) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
  }
}

export function joined({ broker }: StartedBroker): Promise<void> {
  return until(() => broker.state.ready, "joined");
}

/** Publishes to the consumed topic, one record after another, with the key `k`. */
export async function produce({ broker }: StartedBroker, ...values: string[]): Promise<void> {
  for (const value of values) {
    const record = { topic: TOPIC, key: "k", value: Buffer.from(value) };
    await broker.publish({ ...record, headers: { seen: "yes" } });
  }
}

export function valuesOf(batch: Batch): string[] {
  return batch.records.map(({ value }) => String(value));
}

/** Commits every record of a batch at once. */
export async function commitAll(batch: Batch): Promise<void> {
  await batch.commit(batch.nextOffset);
}

export function committed(cluster: KafkaCluster, partition = 0): bigint | undefined {
  return cluster.group(GROUP).committed(TOPIC, partition)?.offset;
}

function kafkaConfig(cluster: KafkaCluster): Config["kafka"] {
  return {
    brokers: cluster.bootstrap("sasl"),
    clientId: "kafka-consumer",
    clientIdPerPod: false,
    groupId: GROUP,
    topics: [TOPIC],
    deadLetterTopic: DEAD_LETTERS,
    sasl: {
      mechanism: "scram-sha-512",
      username: CREDENTIALS.username,
      passwordSecret: "bigpanda-prod-scram-key",
    },
    tls: true,
    sessionTimeoutMs: 10_000,
    heartbeatIntervalMs: 100,
    rebalanceTimeoutMs: 5000,
    connectTimeoutMs: 2000,
    requestTimeoutMs: 3000,
    partitionsConcurrentMax: 8,
    recordsInFlightMax: 65_536,
    bytesInFlightMax: 67_108_864,
    maxBytesPerPartition: 1_048_576,
    maxWaitMs: 50,
    commitIntervalMs: 100,
  };
}
