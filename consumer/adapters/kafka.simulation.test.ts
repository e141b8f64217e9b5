import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeAll, describe, expect, it } from "vitest";

import { type Authority, createAuthority, type IssuedCertificate } from "#fixtures/certificates.ts";
import { type KafkaCluster, startKafka } from "#simulator/kafka/start.ts";

import type { Config } from "../config.ts";
import { hasCode } from "../errors.ts";
import type { Batch, BatchHandler, Broker, Identity } from "../ports.ts";
import type { Credentials } from "../session.ts";
import { createKafkaBroker } from "./kafka.ts";

const TOPIC = "bigpanda.incidents";
const DEAD_LETTERS = "bigpanda.incidents.dead-letter";
const GROUP = "sre-kafka-consumer";
const PASSWORD = "correct horse";
const CREDENTIALS: Credentials = { username: "sre-consumer", password: PASSWORD };

let authority: Authority;
let serverPair: IssuedCertificate;
let cleanup = new AsyncDisposableStack();

beforeAll(async () => {
  authority = await createAuthority();
  serverPair = await authority.issue({ commonName: "broker", ipAddresses: ["127.0.0.1"] });
});

afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

async function startCluster(options: { nodes?: number; partitions?: number } = {}) {
  const cluster = await startKafka({
    nodes: options.nodes ?? 1,
    listeners: [
      {
        name: "sasl",
        tls: { cert: serverPair.certificatePem, key: serverPair.privateKeyPem },
        sasl: { mechanisms: ["SCRAM-SHA-512"] },
      },
    ],
    users: { [CREDENTIALS.username]: PASSWORD },
    topics: [{ name: TOPIC, partitions: options.partitions ?? 1 }, DEAD_LETTERS],
    autoCreateTopics: false,
    sessionTimeoutMsMin: 100,
  });
  return cleanup.use(cluster);
}

function kafkaConfig(cluster: KafkaCluster): Config["kafka"] {
  return {
    brokers: cluster.bootstrap("sasl"),
    clientId: "kafka-consumer",
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
    maxBytesPerPartition: 1_048_576,
    maxWaitMs: 50,
    commitIntervalMs: 100,
  };
}

interface Started {
  readonly broker: Broker;
  /** How `consume` ended; pending until then. */
  readonly consuming: Promise<unknown>;
  readonly lines: string[];
}

function startBroker(
  cluster: KafkaCluster,
  handle: BatchHandler,
  options: { credentials?: () => Promise<Credentials>; kafka?: Partial<Config["kafka"]> } = {},
): Started {
  const lines: string[] = [];
  const write = (event: string, fields: object = {}) =>
    void lines.push(`${event} ${JSON.stringify(fields)}`);
  const broker = createKafkaBroker({
    kafka: { ...kafkaConfig(cluster), ...options.kafka },
    credentials: options.credentials ?? (async () => CREDENTIALS),
    identity: { current: async () => identity(), state: { ready: true } },
    log: { debug: write, info: write, warn: write, error: write },
  });
  const consuming = broker.consume(handle).then(
    () => "ended",
    (error: unknown) => error,
  );
  cleanup.defer(() => broker.stop());
  return { broker, consuming, lines };
}

function identity(): Identity {
  const unused = { certificate: "", privateKey: "", principal: "", notAfterMs: 0 };
  return { ...unused, authority: authority.certificatePem };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 8000; !condition(); await sleep(5)) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
  }
}

const joined = ({ broker }: Started) => until(() => broker.state.ready, "joined");

async function produce(started: Started, ...values: string[]): Promise<void> {
  for (const value of values) {
    await started.broker.publish({
      topic: TOPIC,
      key: "k",
      value: Buffer.from(value),
      headers: { seen: "yes" },
    });
  }
}

const valuesOf = (batch: Batch) => batch.records.map(({ value }) => String(value));
const committed = (cluster: KafkaCluster, partition = 0) =>
  cluster.group(GROUP).committed(TOPIC, partition)?.offset;

async function commitAll(batch: Batch): Promise<void> {
  await batch.commit((batch.records.at(-1)?.offset ?? 0n) + 1n);
}

describe("kafka adapter", () => {
  it("joins by TLS and SCRAM, consumes from the beginning, commits and leaves the group", async () => {
    const cluster = await startCluster();
    const batches: Batch[] = [];
    const started = startBroker(cluster, async (batch) => {
      batches.push(batch);
      await commitAll(batch);
    });
    expect(started.broker.state).toMatchObject({ ready: false });
    const beginMs = performance.now();
    await joined(started);
    expect(performance.now() - beginMs).toBeLessThan(1000);
    await produce(started, "first");
    await produce(started, "second");
    await until(() => committed(cluster) === 2n, "both committed");
    expect(batches.flatMap(valuesOf)).toStrictEqual(["first", "second"]);
    const record = batches[0]?.records[0];
    expect(record).toMatchObject({ topic: TOPIC, partition: 0, offset: 0n });
    expect(String(record?.key)).toBe("k");
    expect(String(record?.headers.seen)).toBe("yes");
    expect(cluster.group(GROUP).members).toHaveLength(1);

    await started.broker.drain();
    await started.broker.stop();
    expect(await started.consuming).toBe("ended");
    expect(cluster.group(GROUP).members).toHaveLength(0);
    expect(batches[0]?.assignment.signal.aborted).toBe(true);
    expect(started.broker.state.ready).toBe(false);
  });

  it("publishes a dead letter with key and headers, bytes unchanged", async () => {
    const cluster = await startCluster();
    const started = startBroker(cluster, commitAll);
    await started.broker.publish({
      topic: DEAD_LETTERS,
      key: null,
      value: new Uint8Array([0, 255, 1]),
      headers: { "dead-letter-reason": "undecodable" },
    });
    const [record] = cluster.topic(DEAD_LETTERS).records(0);
    expect(record).toMatchObject({ key: null, value: Buffer.from([0, 255, 1]) });
    expect(record?.headers.map(([name, value]) => [name, String(value)])).toStrictEqual([
      ["dead-letter-reason", "undecodable"],
    ]);
  });

  it("rejects a wrong password as such, and asks again for the next session", async () => {
    const cluster = await startCluster();
    const wrong = startBroker(cluster, commitAll, {
      credentials: async () => ({ ...CREDENTIALS, password: "battery staple" }),
    });
    const failure = await wrong.consuming;
    expect(hasCode(failure, "broker-authentication")).toBe(true);
    expect(wrong.broker.state).toMatchObject({ ready: false });
    expect(String(failure)).not.toContain("battery staple");
    expect(wrong.lines.join("\n")).not.toContain("battery staple");
    await wrong.broker.stop();
    await joined(startBroker(cluster, commitAll));
  });

  it("maps a denied group and an unreachable broker to their codes", async () => {
    const cluster = await startCluster();
    const denied = cluster.faults.add({
      api: "JoinGroup",
      action: { type: "error", error: "GROUP_AUTHORIZATION_FAILED" },
    });
    const refused = startBroker(cluster, commitAll);
    expect(hasCode(await refused.consuming, "broker-denied")).toBe(true);
    expect(denied.hits).toBeGreaterThan(0);
    const nowhere = startBroker(cluster, commitAll, { kafka: { brokers: ["127.0.0.1:1"] } });
    const failure = await nowhere.consuming;
    expect(hasCode(failure, "broker-unavailable")).toBe(true);
    expect(String(failure)).toContain("127.0.0.1:1");
  });

  it("aborts the assignment on a rebalance, refuses its commits and gives a new epoch", async () => {
    const cluster = await startCluster();
    const release = Promise.withResolvers<void>();
    const batches: Batch[] = [];
    const started = startBroker(cluster, async (batch) => {
      batches.push(batch);
      if (batches.length === 1) {
        await release.promise;
      }
      await commitAll(batch);
    });
    await joined(started);
    await produce(started, "slow");
    await until(() => batches.length === 1, "first batch");
    const first = batches[0]!;
    cluster.group(GROUP).rebalance();
    await until(() => first.assignment.signal.aborted, "aborted");
    expect(hasCode(first.assignment.signal.reason, "assignment-lost")).toBe(true);
    await joined(started);
    await expect(first.commit(1n)).rejects.toSatisfy((error) => hasCode(error, "assignment-lost"));
    expect(committed(cluster)).toBeUndefined();
    // The handler of the old epoch still runs: the new one waits for its end.
    expect(batches).toHaveLength(1);
    release.resolve();
    await until(() => committed(cluster) === 1n, "committed under the new epoch");
    expect(batches).toHaveLength(2);
    expect(batches[1]!.assignment.epoch).toBeGreaterThan(first.assignment.epoch);
  });

  it("aborts and joins again when a commit is refused by the generation", async () => {
    const cluster = await startCluster();
    using fault = cluster.faults.add({
      api: "OffsetCommit",
      times: 1,
      action: { type: "error", error: "ILLEGAL_GENERATION" },
    });
    const failures: unknown[] = [];
    const started = startBroker(cluster, async (batch) => {
      await commitAll(batch).catch((error: unknown) => {
        failures.push(error);
        throw error;
      });
    });
    await joined(started);
    await produce(started, "one");
    await until(() => committed(cluster) === 1n, "committed in the end");
    expect(fault.hits).toBe(1);
    expect(hasCode(failures[0], "assignment-lost")).toBe(true);
  });

  it("lets other partitions of the same broker go on while one is slow", async () => {
    const cluster = await startCluster({ partitions: 2 });
    const release = Promise.withResolvers<void>();
    cleanup.defer(() => release.resolve());
    const seen: string[] = [];
    const started = startBroker(cluster, async (batch) => {
      seen.push(...valuesOf(batch));
      if (seen.length === 1) {
        await release.promise;
      }
      await commitAll(batch);
    });
    await joined(started);
    const keys = await keysByPartition(cluster, started);
    await until(() => seen.length === 2, "one record of each partition");
    const other = seen[0] === keys[0] ? keys[1] : keys[0];
    await started.broker.publish({
      topic: TOPIC,
      key: other,
      value: Buffer.from("on"),
      headers: {},
    });
    await until(() => seen.includes("on"), "the other partition goes on");
    release.resolve();
    await until(() => committed(cluster, 0) !== undefined, "0 committed");
    await until(() => committed(cluster, 1) !== undefined, "1 committed");
    expect(committed(cluster, 0)! + committed(cluster, 1)!).toBe(3n);
  });

  it("keeps its membership while a handler and a fetch take longer than the session", async () => {
    // The other partition is fetched meanwhile.
    const cluster = await startCluster({ partitions: 2 });
    let ended = false;
    const started = startBroker(
      cluster,
      async (batch) => {
        cluster.faults.add({ api: "Fetch", times: 1, action: { type: "delay", delayMs: 1500 } });
        await sleep(1500);
        await commitAll(batch);
        ended = true;
      },
      { kafka: { sessionTimeoutMs: 600 } },
    );
    await joined(started);
    const { generation } = cluster.group(GROUP);
    await produce(started, "long");
    await until(() => ended, "handled");
    expect(cluster.faults.all()[0]?.hits).toBe(1);
    expect(cluster.group(GROUP).generation).toBe(generation);
  });

  it("fetches a failed batch again, from what it had committed", async () => {
    const cluster = await startCluster();
    const seen: string[][] = [];
    const gate = Promise.withResolvers<void>();
    const started = startBroker(cluster, async (batch) => {
      await gate.promise;
      seen.push(valuesOf(batch));
      if (seen.length === 1) {
        await batch.commit(batch.records[0]!.offset + 1n);
        throw new Error("the volume is full");
      }
      await commitAll(batch);
    });
    await produce(started, "a", "b", "c");
    gate.resolve();
    await until(() => committed(cluster) === 3n, "all committed");
    expect(seen).toStrictEqual([
      ["a", "b", "c"],
      ["b", "c"],
    ]);
  });

  it("reads on from the earliest record when its offset is gone, without committing a placeholder", async () => {
    const cluster = await startCluster();
    const seen: string[] = [];
    const first = startBroker(cluster, async (batch) => {
      seen.push(...valuesOf(batch));
      await commitAll(batch);
    });
    await joined(first);
    await produce(first, "a");
    await until(() => committed(cluster) === 1n, "a committed");
    await first.broker.stop();
    const writer = startBroker(cluster, commitAll, { kafka: { groupId: "writer" } });
    await produce(writer, "b", "c", "d");
    cluster.topic(TOPIC).deleteRecordsBefore(0, 3n);
    const offsets = new Set<bigint | undefined>();
    const second = startBroker(cluster, async (batch) => {
      offsets.add(committed(cluster));
      seen.push(...valuesOf(batch));
      await commitAll(batch);
    });
    await until(() => committed(cluster) === 4n, "d committed");
    expect(seen).toStrictEqual(["a", "d"]);
    expect([...offsets]).toStrictEqual([1n]);
    expect(second.lines.join("\n")).toContain("Offset out of range: reading on from the earliest");
  });

  it("rides out a broker that is away for a moment", async () => {
    const cluster = await startCluster();
    const started = startBroker(cluster, commitAll);
    await joined(started);
    await cluster.node(1).kill();
    await cluster.node(1).start();
    await produce(started, "after");
    await until(() => committed(cluster) === 1n, "committed");
    expect(started.broker.state).toStrictEqual({ ready: true });
  });

  it("stops at once while kafkajs tries to reach a broker that is gone", async () => {
    const cluster = await startCluster();
    const started = startBroker(cluster, commitAll);
    await joined(started);
    await cluster.node(1).kill();
    await until(() => started.lines.some((line) => line.includes("ECONNREFUSED")), "retrying");
    const beginMs = performance.now();
    await started.broker.stop();
    expect(performance.now() - beginMs).toBeLessThan(3500);
    expect(await started.consuming).toBe("ended");
    expect(started.broker.state.ready).toBe(false);
  });

  it("stops while its request to join is held back, without joining afterwards", async () => {
    const cluster = await startCluster();
    using held = cluster.faults.add({
      api: "JoinGroup",
      skip: 1,
      action: { type: "barrier", at: "before-apply" },
    });
    const started = startBroker(cluster, commitAll);
    await held.arrived;
    await started.broker.stop();
    held.release();
    expect(await started.consuming).toBe("ended");
    await started.broker.stop();
    expect(started.broker.state.ready).toBe(false);
  });

  it("drains: running handlers end and commit, nothing new is handed out", async () => {
    const cluster = await startCluster();
    const release = Promise.withResolvers<void>();
    const seen: string[] = [];
    const started = startBroker(cluster, async (batch) => {
      seen.push(...valuesOf(batch));
      await release.promise;
      await commitAll(batch);
    });
    await joined(started);
    await produce(started, "running");
    await until(() => seen.length === 1, "running");
    const drained = started.broker.drain();
    await produce(started, "late");
    await sleep(200);
    release.resolve();
    await drained;
    await started.broker.stop();
    expect(seen).toStrictEqual(["running"]);
    expect(committed(cluster)).toBe(1n);
  });
});

/** Publishes one record to each of two partitions; returns the keys that lead there, which are the values too. */
async function keysByPartition(cluster: KafkaCluster, started: Started): Promise<[string, string]> {
  const keys: string[] = [];
  for (let index = 0; keys.filter((key) => key !== undefined).length < 2; index += 1) {
    const before = [0, 1].map((partition) => cluster.topic(TOPIC).endOffset(partition));
    const key = `key-${String(index)}`;
    await started.broker.publish({ topic: TOPIC, key, value: Buffer.from(key), headers: {} });
    const partition = [0, 1].find((at) => cluster.topic(TOPIC).endOffset(at) !== before[at]) ?? 0;
    keys[partition] ??= key;
  }
  return [keys[0] ?? "", keys[1] ?? ""];
}
