import { Kafka, logLevel } from "kafkajs";
import type { KafkaConfig, Producer, SASLOptions } from "kafkajs";
import { beforeAll, describe, expect, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import type { Authority, IssuedCertificate } from "#fixtures/certificates.ts";
import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import type { KafkaOptions } from "#simulator/kafka/cluster/options.ts";
import type { SaslMechanism } from "./users.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const PRINCIPAL = "sre.kafka-consumer-nonprod-k8s.kafka-consumer";
const USER = "sre-consumer";
const MECHANISMS: readonly SaslMechanism[] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

let authority: Authority;
let server: IssuedCertificate;

beforeAll(async () => {
  authority = await createAuthority();
  server = await authority.issue({ commonName: "localhost", ipAddresses: ["127.0.0.1"] });
});

const sasl = (mechanism: SaslMechanism, password: string, username = USER): SASLOptions => {
  if (mechanism === "PLAIN") return { mechanism: "plain", username, password };
  if (mechanism === "SCRAM-SHA-256") return { mechanism: "scram-sha-256", username, password };
  return { mechanism: "scram-sha-512", username, password };
};

const startWithSasl = (options: KafkaOptions = {}) =>
  startKafka({
    users: { [USER]: "right" },
    listeners: [{ name: "sasl", sasl: { mechanisms: MECHANISMS } }],
    ...options,
  });

const startWithTls = (clientCertificate: "none" | "requested" | "required") =>
  startKafka({
    listeners: [
      {
        name: "tls",
        tls: {
          cert: server.certificatePem,
          key: server.privateKeyPem,
          ca: authority.certificatePem,
          clientCertificate,
        },
      },
    ],
  });

/** Asks for the list of topics, without a retry. */
async function ask(cluster: KafkaCluster, options: Partial<KafkaConfig>): Promise<string[]> {
  const kafka = new Kafka({
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    ...options,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

const watch = (cluster: KafkaCluster): KafkaEvent[] => {
  const events: KafkaEvent[] = [];
  cluster.onEvent((event) => void events.push(event));
  return events;
};

describe.each(MECHANISMS)("%s", (mechanism) => {
  test("the right password authenticates the client as the user", async () => {
    await using cluster = await startWithSasl();
    const events = watch(cluster);
    await expect(ask(cluster, { sasl: sasl(mechanism, "right") })).resolves.toEqual([]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "authenticated", principal: `User:${USER}` }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({ type: "request", api: "Metadata", principal: `User:${USER}` }),
    );
  });

  test("a wrong password and an unknown user are refused, and the connection is closed", async () => {
    await using cluster = await startWithSasl({ failedAuthenticationDelayMs: 10 });
    const events = watch(cluster);
    for (const options of [sasl(mechanism, "wrong"), sasl(mechanism, "right", "nobody")]) {
      await expect(ask(cluster, { sasl: options })).rejects.toThrow(/Authentication failed/);
    }
    expect(events.filter((event) => event.type === "authentication-failed")).toHaveLength(2);
    await expect
      .poll(() => events.filter((event) => event.type === "connection-closed"))
      .toEqual([1, 2].map(() => expect.objectContaining({ reason: "authentication failed" })));
  });

  test("a changed password counts from the next connection on", async () => {
    await using cluster = await startWithSasl({ failedAuthenticationDelayMs: 10 });
    await ask(cluster, { sasl: sasl(mechanism, "right") });
    cluster.users.set(USER, "rotated");
    await expect(ask(cluster, { sasl: sasl(mechanism, "right") })).rejects.toThrow(
      /Authentication failed/,
    );
    await expect(ask(cluster, { sasl: sasl(mechanism, "rotated") })).resolves.toEqual([]);
  });
});

test("a failed authentication is answered only after its delay", async () => {
  await using cluster = await startWithSasl({ failedAuthenticationDelayMs: 150 });
  const startedMs = performance.now();
  await expect(ask(cluster, { sasl: sasl("PLAIN", "wrong") })).rejects.toThrow(/Invalid username/);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(145);
});

test("a mechanism that the listener does not offer is refused", async () => {
  const listeners = [{ name: "sasl", sasl: { mechanisms: ["SCRAM-SHA-512" as const] } }];
  await using cluster = await startWithSasl({ listeners });
  await expect(ask(cluster, { sasl: sasl("PLAIN", "right") })).rejects.toThrow(
    /does not support the requested SASL mechanism/,
  );
});

const producerOf = (cluster: KafkaCluster, listener: string, reauthenticationThreshold: number) =>
  new Kafka({
    brokers: cluster.bootstrap(listener),
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    reauthenticationThreshold,
    sasl: sasl("SCRAM-SHA-512", "right"),
  }).producer();

const send = (producer: Producer) => producer.send({ topic: "t", messages: [{ value: "v" }] });

describe("an authentication that ends", () => {
  const LIFETIME_MS = 600;

  const startShort = () =>
    startWithSasl({
      topics: ["t"],
      failedAuthenticationDelayMs: 0,
      listeners: [
        {
          name: "short",
          sasl: { mechanisms: MECHANISMS, reauthenticationMsMax: LIFETIME_MS },
        },
        { name: "long", sasl: { mechanisms: MECHANISMS } },
      ],
    });

  test("is renewed by a client that knows, on the same connection", async () => {
    await using cluster = await startShort();
    const events = watch(cluster);
    const producer = producerOf(cluster, "short", LIFETIME_MS / 2);
    await producer.connect();
    await send(producer);
    const opened = () => events.filter(({ type }) => type === "connection-opened").length;
    const renewed = () => events.filter(({ type }) => type === "authenticated").length;
    const before = opened();
    while (renewed() < before + 3) await send(producer);
    expect(opened()).toBe(before);
    expect(events.map(({ type }) => type)).not.toContain("connection-closed");
    await producer.disconnect();
  });

  test("cuts off a client that does not renew it", async () => {
    await using cluster = await startShort();
    const producer = producerOf(cluster, "short", 0);
    await producer.connect();
    const sendOnAndOn = async (): Promise<never> => {
      for (;;) await send(producer);
    };
    await expect(sendOnAndOn()).rejects.toThrow(/Closed connection/);
    await producer.disconnect();
  });

  test("cuts off a client that renews it with an outdated password", async () => {
    await using cluster = await startShort();
    const events = watch(cluster);
    const producer = producerOf(cluster, "short", LIFETIME_MS / 2);
    await producer.connect();
    await send(producer);
    cluster.users.set(USER, "rotated");
    const sendOnAndOn = async (): Promise<never> => {
      for (;;) await send(producer);
    };
    // The client may see the end of the connection before it reads the reason.
    await expect(sendOnAndOn()).rejects.toThrow(/Authentication failed|Closed connection/);
    expect(events.map(({ type }) => type)).toContain("authentication-failed");
    await producer.disconnect();
  });

  test("has a limit of its own for each listener", async () => {
    await using cluster = await startShort();
    const events = watch(cluster);
    const producer = producerOf(cluster, "long", 0);
    await producer.connect();
    const endsAtMs = Date.now() + 2 * LIFETIME_MS;
    while (Date.now() < endsAtMs) await send(producer);
    expect(events.map(({ type }) => type)).not.toContain("connection-closed");
    await producer.disconnect();
  });
});

test("nobody is served before authentication", async () => {
  await using cluster = await startWithSasl();
  const events = watch(cluster);
  await expect(ask(cluster, {})).rejects.toThrow(/Closed connection/);
  await expect
    .poll(() => events)
    .toContainEqual(
      expect.objectContaining({
        type: "connection-closed",
        reason: "Metadata before authentication",
      }),
    );
});

describe("TLS", () => {
  test("a client that trusts our authority is served, another one is not", async () => {
    await using cluster = await startWithTls("none");
    const events = watch(cluster);
    await expect(ask(cluster, { ssl: { ca: [authority.certificatePem] } })).resolves.toEqual([]);
    const stranger = await createAuthority();
    await expect(ask(cluster, { ssl: { ca: [stranger.certificatePem] } })).rejects.toThrow(
      /certificate/,
    );
    await expect(ask(cluster, {})).rejects.toThrow(/Closed connection|ECONNRESET/);
    await expect.poll(() => events.map((event) => event.type)).toContain("tls-failed");
  });

  test("the common name of a client certificate is the principal", async () => {
    await using cluster = await startWithTls("required");
    const events = watch(cluster);
    const own = await authority.issue({ commonName: PRINCIPAL });
    const ssl = {
      ca: [authority.certificatePem],
      cert: own.certificatePem,
      key: own.privateKeyPem,
    };
    await expect(ask(cluster, { ssl })).resolves.toEqual([]);
    const principals = events.flatMap((event) => (event.type === "request" ? event.principal : []));
    expect(new Set(principals)).toEqual(new Set([`User:${PRINCIPAL}`]));
  });

  test("without a certificate, or with one of another authority, a listener that requires it refuses", async () => {
    await using cluster = await startWithTls("required");
    const events = watch(cluster);
    const stranger = await createAuthority();
    const foreign = await stranger.issue({ commonName: PRINCIPAL });
    const ca = [authority.certificatePem];
    // The alert may or may not arrive before the end of the connection.
    const refused = /certificate required|unknown ca|Closed connection|ECONNRESET/;
    await expect(ask(cluster, { ssl: { ca } })).rejects.toThrow(refused);
    const ssl = { ca, cert: foreign.certificatePem, key: foreign.privateKeyPem };
    await expect(ask(cluster, { ssl })).rejects.toThrow(refused);
    const seen = (): string[] => events.map((event) => event.type);
    await expect.poll(() => seen().filter((type) => type === "tls-failed")).toHaveLength(2);
    expect(seen()).not.toContain("request");
  });

  test("where a certificate is only requested, a client without one is anonymous", async () => {
    await using cluster = await startWithTls("requested");
    const events = watch(cluster);
    await ask(cluster, { ssl: { ca: [authority.certificatePem] } });
    expect(events).toContainEqual(
      expect.objectContaining({ type: "request", principal: "User:ANONYMOUS" }),
    );
  });
});
