import { createServer } from "node:net";
import type { Socket } from "node:net";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  commitAll,
  committed,
  createKafkaHarness,
  DEAD_LETTERS,
  GROUP,
  joined,
  produce,
  until,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness } from "#simulator/kafka/testing/kafka-harness.ts";
import type { FaultRule } from "#simulator/kafka/faults/fault-registry.ts";

/* Connections that hear and never answer. Nobody takes the rules away: what is deaf stays deaf. */

const REQUEST_MS = 300;
const SETTINGS = { kafka: { requestTimeoutMs: REQUEST_MS, connectTimeoutMs: REQUEST_MS } };
/** One timeout, and a new connection with its handshakes. */
const ONE_TIMEOUT_MS = 2 * REQUEST_MS + 600;

let harness: KafkaHarness;

beforeEach(async () => {
  harness = await createKafkaHarness();
});

afterEach(() => harness[Symbol.asyncDispose]());

const deafOnce = (rule: Omit<FaultRule, "action">, bytes?: number): FaultRule => ({
  ...rule,
  times: 1,
  action: { type: "blackhole", ...(bytes !== undefined && { bytes }) },
});

const letter = { topic: DEAD_LETTERS, key: "k", value: Buffer.from("x"), headers: {} };

describe("a publication over a connection that is not answered", () => {
  test.each<[what: string, rule: FaultRule]>([
    ["the record", deafOnce({ api: "Produce" })],
    ["the record, whose answer never comes", deafOnce({ api: "Produce", direction: "reply" })],
    ["the record, whose answer ends after two bytes", deafOnce({ api: "Produce" }, 2)],
    ["the record, whose answer ends after twenty bytes", deafOnce({ api: "Produce" }, 20)],
    ["metadata", deafOnce({ api: "Metadata" })],
    ["the versions", deafOnce({ api: "ApiVersions" })],
    ["the handshake of SASL", deafOnce({ api: "SaslHandshake" })],
    ["the proof of the password", deafOnce({ api: "SaslAuthenticate" })],
    ["the second step of the proof", deafOnce({ api: "SaslAuthenticate", skip: 1 })],
    ["the proof, whose answer ends after six bytes", deafOnce({ api: "SaslAuthenticate" }, 6)],
  ])("is made over a new one after one timeout: %s", async (_what, rule) => {
    const cluster = await harness.startCluster();
    using fault = cluster.faults.add(rule);
    const { broker } = harness.startBroker(cluster, undefined, SETTINGS);
    const beganMs = performance.now();
    await broker.publish(letter);
    expect(performance.now() - beganMs).toBeLessThan(ONE_TIMEOUT_MS);
    expect(fault.hits).toBe(1);
    expect(cluster.topic(DEAD_LETTERS).endOffset(0)).toBeGreaterThanOrEqual(1n);
  });

  test("is made over a new one although the old one had worked for long", async () => {
    const cluster = await harness.startCluster();
    const { broker } = harness.startBroker(cluster, undefined, SETTINGS);
    await broker.publish(letter);
    const opened: number[] = [];
    cluster.onEvent((event) => {
      if (event.type === "connection-opened") opened.push(event.connection);
    });
    using fault = cluster.faults.add(deafOnce({ api: "Produce" }));
    const beganMs = performance.now();
    await Promise.all([broker.publish(letter), broker.publish(letter), broker.publish(letter)]);
    expect(performance.now() - beganMs).toBeLessThan(ONE_TIMEOUT_MS);
    expect(fault.hits).toBe(1);
    expect(opened).toHaveLength(1);
  });

  test("fails within its tries where the broker stays deaf, and says what was not answered", async () => {
    const cluster = await harness.startCluster();
    const { broker } = harness.startBroker(cluster, undefined, SETTINGS);
    await broker.publish(letter);
    using fault = cluster.faults.add({ api: "Produce", action: { type: "blackhole" } });
    const failure = await broker.publish(letter).catch(String);
    expect(failure).toContain("Produce");
    expect(failure).toContain("timed out");
    expect(fault.hits).toBeGreaterThan(1);
  }, 15_000);
});

describe("a first broker of the list that is deaf", () => {
  test.each<[what: string, talk: (socket: Socket) => void]>([
    ["from the connection on", (socket) => socket.resume()],
    ["and does not even read", (socket) => socket.pause()],
  ])("%s is passed over for the next one", async (_what, talk) => {
    const cluster = await harness.startCluster();
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => undefined));
      talk(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const brokers = [`127.0.0.1:${String(port)}`, ...cluster.bootstrap("sasl")];
    try {
      const started = harness.startBroker(cluster, commitAll, {
        kafka: { ...SETTINGS.kafka, brokers },
      });
      await joined(started);
      expect(sockets.size).toBeGreaterThan(0);
      // Only who reads sees an end.
      for (const socket of sockets) socket.resume();
      await until(
        () => [...sockets].every((socket) => socket.destroyed || socket.readableEnded),
        "closed",
      );
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  test.each(["ApiVersions", "SaslHandshake", "SaslAuthenticate", "Metadata"])(
    "from %s on is passed over for the next one",
    async (api) => {
      const cluster = await harness.startCluster({ nodes: 2 });
      using fault = cluster.faults.add({ api, node: 1, action: { type: "blackhole" } });
      const { broker } = harness.startBroker(cluster, undefined, SETTINGS);
      cluster.topic(DEAD_LETTERS).moveLeader(0, 2);
      const beganMs = performance.now();
      await broker.publish(letter);
      expect(performance.now() - beganMs).toBeLessThan(3 * ONE_TIMEOUT_MS);
      expect(fault.hits).toBeGreaterThan(0);
    },
  );
});

describe("a member of the group", () => {
  test.each(["Fetch", "OffsetCommit", "OffsetFetch", "Heartbeat", "ListOffsets"])(
    "goes on over a new connection after one timeout of %s",
    async (api) => {
      const cluster = await harness.startCluster();
      const writer = harness.startBroker(cluster, undefined);
      await produce(writer, "one");
      using fault = cluster.faults.add(deafOnce({ api, clientId: "reader" }));
      const started = harness.startBroker(cluster, commitAll, {
        kafka: { ...SETTINGS.kafka, clientId: "reader" },
      });
      await fault.arrived;
      const beganMs = performance.now();
      await produce(writer, "two");
      await until(() => committed(cluster) === 2n, "both committed");
      expect(performance.now() - beganMs).toBeLessThan(ONE_TIMEOUT_MS);
      expect(fault.hits).toBe(1);
      await joined(started);
    },
  );

  test("keeps its session although a heartbeat is never answered", async () => {
    const cluster = await harness.startCluster();
    const settings = { sessionTimeoutMs: 1500, requestTimeoutMs: 4000 };
    const { broker } = harness.startBroker(cluster, commitAll, { kafka: settings });
    await until(() => broker.state.ready, "joined");
    const { generation, members } = cluster.group(GROUP);
    using fault = cluster.faults.add(deafOnce({ api: "Heartbeat" }));
    await fault.arrived;
    let after = 0;
    cluster.onEvent((event) => {
      if (event.type === "request" && event.api === "Heartbeat") after += 1;
    });
    await until(() => after > 3, "more heartbeats");
    expect(cluster.group(GROUP).members.map(({ memberId }) => memberId)).toEqual(
      members.map(({ memberId }) => memberId),
    );
    expect(cluster.group(GROUP).generation).toBe(generation);
    expect(broker.state).toStrictEqual({ ready: true });
  });
});
