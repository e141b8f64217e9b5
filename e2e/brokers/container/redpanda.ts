import { stringify } from "yaml";
import { ADMINISTRATOR, FILES_DIRECTORY, SESSION_TIMEOUT_MS_MIN } from "./software.ts";
import type { BrokerPlan, BrokerSoftware, ListenerPlan } from "./software.ts";

const CONFIGURATION = "/etc/redpanda";
const DATA = "/var/lib/redpanda/data";
const NODE_FILE = "redpanda.yaml";
/** The settings of the cluster. Redpanda reads them only when it starts for the first time. */
const CLUSTER_FILE = "bootstrap.yaml";
const TLS_FILES = { server: "server.pem", key: "server.key", authority: "ca.pem" };
const INSIDE = "127.0.0.1";

/**
 * Describes Redpanda: one node, laid out as in the official image. It gets a copy of its configuration, since rpk
 * rewrites that file. It does not run in the mode for development containers, which would not sync acknowledged
 * records.
 */
export function redpanda(image: string): BrokerSoftware {
  return {
    kind: "redpanda",
    image,
    files: (plan) => ({
      [TLS_FILES.server]: plan.certificate.certificatePem,
      [TLS_FILES.key]: plan.certificate.privateKeyPem,
      [TLS_FILES.authority]: plan.authorityPem,
      [NODE_FILE]: stringify(nodeConfiguration(plan)),
      [CLUSTER_FILE]: stringify(CLUSTER_CONFIGURATION),
    }),
    prepare:
      `cp ${FILES_DIRECTORY}/${NODE_FILE} ${CONFIGURATION}/${NODE_FILE}\n` +
      `cp ${FILES_DIRECTORY}/${CLUSTER_FILE} ${CONFIGURATION}/.${CLUSTER_FILE}`,
    argv: [
      "/usr/bin/rpk",
      "redpanda",
      "start",
      `--config=${CONFIGURATION}/${NODE_FILE}`,
      "--smp=1",
      "--memory=512M",
      "--reserve-memory=0M",
      // Redpanda shares the host with other programs, and the kernel of the host is not tuned for it.
      "--overprovisioned",
      "--check=false",
    ],
    environment: {},
    directories: [DATA, CONFIGURATION],
    userId: 101,
  };
}

/** Returns the document of redpanda.yaml. */
export function nodeConfiguration(plan: BrokerPlan) {
  const listeners = [plan.admin, ...plan.podListeners];
  const isAdmin = ({ name }: ListenerPlan): boolean => name === plan.admin.name;
  return {
    redpanda: {
      data_directory: DATA,
      seed_servers: [],
      empty_seed_starts_cluster: true,
      rpc_server: { address: INSIDE, port: 33145 },
      advertised_rpc_api: { address: INSIDE, port: 33145 },
      admin: [{ name: "inside", address: INSIDE, port: 9644 }],
      kafka_api: listeners.map((listener) => ({
        name: listener.name,
        address: "0.0.0.0",
        port: listener.port,
        authentication_method: isAdmin(listener) ? "mtls_identity" : "sasl",
      })),
      advertised_kafka_api: listeners.map(({ name, advertised }) => {
        const { hostname, port } = new URL(`kafka://${advertised}`);
        return { name, address: hostname, port: Number(port) };
      }),
      kafka_api_tls: listeners.map((listener) => ({
        name: listener.name,
        enabled: true,
        cert_file: `${FILES_DIRECTORY}/${TLS_FILES.server}`,
        key_file: `${FILES_DIRECTORY}/${TLS_FILES.key}`,
        truststore_file: `${FILES_DIRECTORY}/${TLS_FILES.authority}`,
        require_client_auth: isAdmin(listener),
      })),
    },
  };
}

/**
 * A user who has logged in may do everything, as at the Apache Kafka broker of the kit. Only the administrator may
 * change users.
 */
const CLUSTER_CONFIGURATION = {
  superusers: [ADMINISTRATOR],
  kafka_mtls_principal_mapping_rules: ["RULE:^CN=([^,]+).*$/$1/", "DEFAULT"],
  kafka_enable_authorization: false,
  sasl_mechanisms: ["SCRAM"],
  auto_create_topics_enabled: false,
  default_topic_replications: 1,
  group_initial_rebalance_delay: 0,
  group_min_session_timeout_ms: SESSION_TIMEOUT_MS_MIN,
};
