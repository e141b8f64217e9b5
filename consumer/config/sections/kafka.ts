import { z } from "zod";

import { integer, milliseconds, section, text } from "#consumer/config/section.ts";

const KAFKA_NAME = /^[a-zA-Z0-9._-]+$/;
const topic = (what: string) =>
  text(249, what).regex(KAFKA_NAME, "must be letters, digits, '.', '_' or '-'");

export const kafka = section({
  brokers: z
    .array(z.string().superRefine(checkBroker))
    .min(1)
    .max(64)
    .describe("The brokers to connect to first, each as host:port. 1 to 64."),
  clientId: text(
    100,
    "The name of this client in the broker's logs, metrics and quotas. Default kafka-consumer.",
  ).default("kafka-consumer"),
  clientIdPerPod: z
    .boolean()
    .default(false)
    .describe(
      "Uses the name of the pod (variable POD_NAME) as the client id instead of clientId, " +
        "except for commands such as dead-letter redrive. Then every pod that has ever run " +
        "is one more client in the broker's metrics, and a quota per client id counts for " +
        "each pod alone. ACLs are about users and not client ids. Default false.",
    ),
  groupId: text(249, "The consumer group. The pods of one group share the partitions."),
  topics: z
    .array(topic("A topic to read."))
    .min(1)
    .max(64)
    .describe("The topics to read. 1 to 64."),
  deadLetterTopic: topic(
    "The topic that receives what does not end well. It must not be one of `topics`.",
  ),
  sasl: section({
    mechanism: z
      .literal("scram-sha-512")
      .default("scram-sha-512")
      .describe("Only scram-sha-512. Default scram-sha-512."),
    username: text(256, "The SASL user."),
    passwordSecret: text(
      256,
      "The name of the CKMS secret that holds the password: one line of text, of which a " +
        "line break at the end is ignored.",
    ),
  }).describe("The SASL credentials. The password itself is never in this file."),
  tls: z
    .boolean()
    .default(true)
    .describe("Whether to use TLS, with athenz.ca as the trusted authorities. Default true."),
  sessionTimeoutMs: milliseconds(
    1000,
    600_000,
    "How long the group waits for a heartbeat before it gives the partitions of a pod to others. Default 30000.",
  ).default(30_000),
  heartbeatIntervalMs: milliseconds(
    100,
    60_000,
    "The time between heartbeats, at most a third of sessionTimeoutMs. Default 3000.",
  ).default(3000),
  rebalanceTimeoutMs: milliseconds(
    1000,
    600_000,
    "How long members have to rejoin the group in a rebalance. Default 60000.",
  ).default(60_000),
  connectTimeoutMs: milliseconds(
    100,
    120_000,
    "The longest time to connect to one broker, TLS included. Default 10000.",
  ).default(10_000),
  requestTimeoutMs: milliseconds(
    1000,
    300_000,
    "The longest time of one request to a broker, more than maxWaitMs. A request that " +
      "takes longer closes its connection, and is repeated over a new one. Default 30000.",
  ).default(30_000),
  partitionsConcurrentMax: integer(
    1,
    256,
    "The largest number of partitions that are worked on at once. Default 8. Count",
  ).default(8),
  recordsInFlightMax: integer(
    1,
    1_000_000,
    "The largest number of records held in memory until they are done, over all partitions " +
      "at work, each of which has an equal share. As many more may wait for dead letters to " +
      "be acknowledged. Default 65536. Count",
  ).default(65_536),
  bytesInFlightMax: integer(
    1024,
    4_294_967_296,
    "The largest size of these records, unpacked. Records that are larger than the share " +
      "of their partition are taken one at a time over all partitions. As many bytes more " +
      "may wait for dead letters to be acknowledged. Default 67108864. Bytes",
  ).default(67_108_864),
  maxBytesPerPartition: integer(
    1024,
    104_857_600,
    "The largest fetch of one partition. Default 1048576. Bytes",
  ).default(1_048_576),
  maxWaitMs: milliseconds(
    10,
    30_000,
    "How long a broker holds back the answer to an empty fetch. A partition that was not " +
      "read for ten times as long (at least one second; 5 s by default) stands still: the " +
      "pod is unready and names the partition. Default 500.",
  ).default(500),
  commitIntervalMs: milliseconds(
    10,
    60_000,
    "The longest time between commits while records end. Default 1000.",
  ).default(1000),
});

type Context = z.core.$RefinementCtx;

function checkBroker(value: string, context: Context): void {
  const port = Number(/^(?:[a-z0-9._-]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(value)?.[1] ?? "0");
  if (port < 1 || port > 65_535) {
    context.addIssue({ code: "custom", message: "must be host:port with a port of 1 to 65535" });
  }
}
