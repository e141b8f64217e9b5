/**
 * Images of the brokers that can run as containers. `--broker-image` replaces them. They are pinned by tag, since no
 * digest was read from the registry so far.
 */
export const BROKER_IMAGES = {
  kafka: "apache/kafka:4.1.1",
  redpanda: "docker.redpanda.com/redpandadata/redpanda:v26.1.9",
} as const;
