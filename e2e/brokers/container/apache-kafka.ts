import { FILES_DIRECTORY, SESSION_TIMEOUT_MS_MIN } from "./software.ts";
import type { BrokerPlan, BrokerSoftware, ListenerPlan } from "./software.ts";

const PROPERTIES = `${FILES_DIRECTORY}/server.properties`;
const LOGGING = `${FILES_DIRECTORY}/log4j2.properties`;
/** The file with both the key and the certificate, as a PEM key store requires. */
const KEY_STORE = "keystore.pem";
const TRUST_STORE = "truststore.pem";
const DATA = "/var/lib/kafka/data";
/** The listener on which the node talks to itself. */
const INNER = { name: "INNER", port: 9091 };
const CONTROLLER = { name: "CONTROLLER", port: 9090 };
/** Base64 of 16 bytes. The value does not matter, since no other node ever joins. */
const CLUSTER_ID = "a2l0LWthZmthLWJyb2tlcg";

/**
 * Describes Apache Kafka in KRaft mode: one node that is both broker and controller, laid out as in the official image.
 */
export function apacheKafka(image: string): BrokerSoftware {
  return {
    kind: "kafka",
    image,
    files: (plan) => ({
      [TRUST_STORE]: plan.authorityPem,
      [KEY_STORE]: plan.certificate.privateKeyPem + plan.certificate.certificatePem,
      "server.properties": propertiesText(serverProperties(plan)),
      "log4j2.properties": propertiesText(LOGGING_PROPERTIES),
    }),
    prepare:
      "/opt/kafka/bin/kafka-storage.sh format --ignore-formatted " +
      `--cluster-id ${CLUSTER_ID} --config ${PROPERTIES}`,
    argv: ["/opt/kafka/bin/kafka-server-start.sh", PROPERTIES],
    environment: {
      KAFKA_HEAP_OPTS: "-Xms256m -Xmx512m",
      // A run is too short to earn back the time that better compilation takes.
      KAFKA_JVM_PERFORMANCE_OPTS: "-server -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
      JDK_JAVA_OPTIONS: `-XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=${LOGGING}`,
    },
    directories: [DATA],
    userId: 1000,
  };
}

/** Returns the settings of `server.properties` by name. */
export function serverProperties(plan: BrokerPlan): Readonly<Record<string, string>> {
  const outer = [plan.admin, ...plan.podListeners];
  const listeners = [CONTROLLER, INNER].map(({ name, port }) => `${name}://127.0.0.1:${port}`);
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${CONTROLLER.port}`,
    "controller.listener.names": CONTROLLER.name,
    "inter.broker.listener.name": INNER.name,
    listeners: [...listeners, ...outer.map(({ name, port }) => `${name}://0.0.0.0:${port}`)].join(),
    "advertised.listeners": [
      listeners[1],
      ...outer.map(({ name, advertised }) => `${name}://${advertised}`),
    ].join(),
    "listener.security.protocol.map": [
      `${CONTROLLER.name}:PLAINTEXT`,
      `${INNER.name}:PLAINTEXT`,
      `${plan.admin.name}:SSL`,
      ...plan.podListeners.map(({ name }) => `${name}:SASL_SSL`),
    ].join(),
    [`listener.name.${plan.admin.name.toLowerCase()}.ssl.client.auth`]: "required",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    ...Object.assign({}, ...plan.podListeners.map((listener) => scramLogin(listener))),
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": `${FILES_DIRECTORY}/${KEY_STORE}`,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": `${FILES_DIRECTORY}/${TRUST_STORE}`,
    "log.dirs": DATA,
    // The number of threads applies to each listener.
    "num.network.threads": "1",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": String(SESSION_TIMEOUT_MS_MIN),
  };
}

function scramLogin({ name }: ListenerPlan): Readonly<Record<string, string>> {
  const login = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  return { [`listener.name.${name.toLowerCase()}.scram-sha-512.sasl.jaas.config`]: login };
}

/** Sends the log to standard output only, where the logs of a container belong. */
const LOGGING_PROPERTIES = {
  "appender.stdout.type": "Console",
  "appender.stdout.name": "stdout",
  "appender.stdout.layout.type": "PatternLayout",
  "appender.stdout.layout.pattern": "[%d] %p %m (%c)%n",
  "rootLogger.level": "info",
  "rootLogger.appenderRef.stdout.ref": "stdout",
};

function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
