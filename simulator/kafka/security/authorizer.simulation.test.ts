import { Kafka, logLevel } from "kafkajs";
import { beforeAll, expect, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import type { Authority, IssuedCertificate } from "#fixtures/certificates.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const TOPIC = "incidents";
const DEAD_LETTERS = "incidents.dead-letters";
const GROUP = "sre";
/** The common name of a certificate that Athenz issued for the consumer. */
const IDENTITY = "sre.kafka-consumer-nonprod-k8s.kafka-consumer";
const ADMIN = "sre.kafka-admin";
const POLL = { timeout: 10_000, interval: 5 };

let authority: Authority;
let server: IssuedCertificate;

beforeAll(async () => {
  authority = await createAuthority();
  server = await authority.issue({ commonName: "localhost", ipAddresses: ["127.0.0.1"] });
});

const start = () =>
  startKafka({
    topics: [TOPIC, DEAD_LETTERS],
    listeners: [
      {
        name: "mtls",
        tls: {
          cert: server.certificatePem,
          key: server.privateKeyPem,
          ca: authority.certificatePem,
          clientCertificate: "required",
        },
      },
    ],
    authorization: {
      superUsers: [`User:${ADMIN}`],
      acls: [
        { resource: "TOPIC", name: TOPIC, principal: `User:${IDENTITY}`, operation: "READ" },
        {
          resource: "TOPIC",
          name: `${TOPIC}.`,
          pattern: "PREFIXED",
          principal: `User:${IDENTITY}`,
          operation: "WRITE",
        },
        { resource: "GROUP", name: GROUP, principal: `User:${IDENTITY}`, operation: "READ" },
      ],
    },
  });

async function client(cluster: KafkaCluster, commonName: string) {
  const { certificatePem: cert, privateKeyPem: key } = await authority.issue({ commonName });
  return new Kafka({
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    ssl: { ca: [authority.certificatePem], cert, key },
  });
}

async function send(kafka: Kafka, topic: string): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  try {
    await producer.send({ topic, messages: [{ value: "v" }] });
  } finally {
    await producer.disconnect();
  }
}

test("an Athenz identity reads its topic in its group and writes dead letters, and nothing else", async () => {
  await using cluster = await start();
  const own = await client(cluster, IDENTITY);
  await send(await client(cluster, ADMIN), TOPIC);
  const consumer = own.consumer({ groupId: GROUP, maxWaitTimeInMs: 50 });
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void values.push(String(message.value)),
  });
  await expect.poll(() => values, POLL).toEqual(["v"]);
  await consumer.disconnect();
  expect(cluster.group(GROUP).committed(TOPIC, 0)?.offset).toBe(1n);
  await send(own, DEAD_LETTERS);
  await expect(send(own, TOPIC)).rejects.toThrow(/Not authorized to access topics/);
  expect(cluster.topic(TOPIC).endOffset(0)).toBe(1n);
  const admin = own.admin();
  await admin.connect();
  expect(await admin.listTopics()).toEqual([TOPIC, DEAD_LETTERS]);
  await expect(admin.fetchOffsets({ groupId: "other" })).rejects.toThrow(
    /Failed to find group coordinator/,
  );
  await expect(admin.createTopics({ topics: [{ topic: "mine" }] })).rejects.toThrow(
    /Topic creation errors/,
  );
  await expect(admin.deleteTopics({ topics: [TOPIC] })).rejects.toThrow(
    /Not authorized to access topics/,
  );
  await admin.disconnect();
});

test("an entry that is added counts from the next request on", async () => {
  await using cluster = await start();
  const producer = (await client(cluster, IDENTITY)).producer();
  await producer.connect();
  const sent = () => producer.send({ topic: TOPIC, messages: [{ value: "v" }] });
  await expect(sent()).rejects.toThrow(/Not authorized to access topics/);
  const right = {
    resource: "TOPIC",
    name: TOPIC,
    pattern: "LITERAL",
    principal: `User:${IDENTITY}`,
    host: "*",
    operation: "WRITE",
  } as const;
  cluster.authorizer.add({ ...right, permission: "ALLOW" });
  await sent();
  cluster.authorizer.add({ ...right, permission: "DENY" });
  await expect(sent()).rejects.toThrow(/Not authorized to access topics/);
  await producer.disconnect();
});
