/**
 * Images of the brokers that can be run as containers; `--broker-image` overrides. Pinned by tag: a digest belongs here
 * once it was read from the registry.
 */
export const BROKER_IMAGES = {
  kafka: "apache/kafka:4.1.1",
  redpanda: "docker.redpanda.com/redpandadata/redpanda:v26.1.9",
} as const;
