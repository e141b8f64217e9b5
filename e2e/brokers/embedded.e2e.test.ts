import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import type { Consumer } from "kafkajs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import { startSimulator } from "#simulator/simulator-process.ts";
import { makeOwnedDirectory, removeDirectory } from "../owned-directory.ts";
import { FaultNeverFiredError } from "../errors.ts";
import type { Broker, ClientActivity } from "./broker.ts";
import { connectEmbeddedBroker, startEmbeddedBroker } from "./embedded.ts";

const USER = { username: "sre-consumer", password: "correct horse" };
const POLL = { timeout: 40_000, interval: 20 };

const authority = await createAuthority();
const server = await authority.issue({ commonName: "broker", ipAddresses: ["127.0.0.1"] });

interface Running {
  readonly broker: Broker;
  readonly stack: AsyncDisposableStack;
}

async function startHere(): Promise<Running> {
  const stack = new AsyncDisposableStack();
  const broker = await startEmbeddedBroker({
    advertisedHost: "127.0.0.1",
    server,
    users: { [USER.username]: USER.password },
    topics: [],
    sessionTimeoutMsMin: 100,
    nodes: 2,
  });
  return { broker: stack.use(broker), stack };
}

async function startElsewhere(): Promise<Running> {
  const stack = new AsyncDisposableStack();
  const directory = await makeOwnedDirectory();
  stack.defer(() => removeDirectory(directory));
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(join(directory, name), content);
    return join(directory, name);
  };
  const running = stack.use(
    startSimulator([
      "kafka",
      "--nodes=2",
      "--control-port=0",
      "--sasl=SCRAM-SHA-512",
      "--session-timeout-ms-min=100",
      `--tls-cert=${await file("cert.pem", server.certificatePem)}`,
      `--tls-key=${await file("key.pem", server.privateKeyPem)}`,
      `--users-file=${await file("users", JSON.stringify({ [USER.username]: USER.password }))}`,
      `--control-token-file=${await file("token", "battery-staple")}`,
    ]),
  );
  const url = String((await running.listening()).control);
  return {
    broker: stack.use(await connectEmbeddedBroker({ url, token: "battery-staple" })),
    stack,
  };
}

const client = (broker: Broker, password = USER.password) =>
  new Kafka({
    brokers: [...broker.bootstrap],
    clientId: "pod",
    logLevel: logLevel.NOTHING,
    ssl: { ca: [authority.certificatePem] },
    sasl: { mechanism: "scram-sha-512", username: USER.username, password },
    retry: { initialRetryTime: 5, maxRetryTime: 100, retries: 20 },
  });

async function consume(broker: Broker, name: string, seen: Set<string>): Promise<Consumer> {
  const consumer = client(broker).consumer({
    groupId: name,
    sessionTimeout: 1000,
    heartbeatInterval: 30,
    maxWaitTimeInMs: 30,
    // kafkajs asks for the coordinator again only after it has given the dead one up.
    retry: { initialRetryTime: 5, maxRetryTime: 100, retries: 5 },
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [name], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.add(String(message.value)) });
  await expect
    .poll(async () => (await broker.members(name)).map(({ partitions }) => partitions.length), POLL)
    .toEqual([2]);
  return consumer;
}

describe.each([
  ["of this process", startHere],
  ["of another process", startElsewhere],
])("an embedded broker %s, as scenarios see it", (_where, start) => {
  let running: Running;
  let broker: Broker;
  /** Of the topic and of its group. */
  let name: string;
  let seen: Set<string>;
  let consumer: Consumer;

  beforeAll(async () => {
    running = await start();
    ({ broker } = running);
  });

  afterAll(() => running.stack.disposeAsync());

  beforeEach(async ({ task }) => {
    name = `t-${task.id}`;
    seen = new Set();
    await broker.createTopic(name, 2);
    consumer = await consume(broker, name, seen);
  });

  afterEach(() => consumer.disconnect());

  test("takes records and tells where they are, and how far a group is", async () => {
    await broker.createTopic("other", 3);
    expect(await broker.endOffsets("other")).toEqual(new Map([0, 1, 2].map((one) => [one, 0n])));
    const position = await broker.produce(name, { key: "k", value: "v", partition: 1 });
    expect(position).toEqual({ partition: 1, offset: 0n });
    await broker.produce("other", { key: null, value: null });
    expect(await broker.read("other")).toEqual([
      { partition: 0, offset: 0n, key: null, value: null, headers: {} },
    ]);
    expect(await broker.read(name)).toEqual([
      { partition: 1, offset: 0n, key: "k", value: Buffer.from("v"), headers: {} },
    ]);
    await expect
      .poll(async () => (await broker.committedOffsets(name, name)).get(1), POLL)
      .toBe(1n);
    expect(await broker.committedOffsets(name, "other")).toEqual(new Map());
    expect(await broker.members(name)).toMatchObject([
      {
        clientId: "pod",
        partitions: [
          { topic: name, partition: 0 },
          { topic: name, partition: 1 },
        ],
      },
    ]);
  });

  test("loses nodes and leaders, rebalances and restarts, and the client goes on", async () => {
    // kafkajs gives up at a connection that is cut while it authenticates: it has all that it needs before.
    const first = ["a", "b"];
    for (const [partition, value] of first.entries()) {
      await broker.produce(name, { key: "k", value, partition });
    }
    await expect.poll(() => first.every((value) => seen.has(value)), POLL).toBe(true);
    const { coordinator, generation } = await broker.group(name);
    const other = 3 - coordinator;
    await broker.moveLeader(name, 0, other);
    expect((await broker.leaders(name)).get(0)).toBe(other);
    expect(await broker.killNode(coordinator)).toBeGreaterThan(0);
    expect(await broker.leaders(name)).toEqual(new Map([0, 1].map((one) => [one, other])));
    expect((await broker.group(name)).coordinator).toBe(other);
    await broker.produce(name, { key: "k", value: "killed" });
    await expect.poll(() => seen.has("killed"), POLL).toBe(true);
    await broker.startNode(coordinator);
    await expect.poll(() => broker.rebalance(name), POLL).toBe(true);
    await expect
      .poll(async () => (await broker.group(name)).generation, POLL)
      .toBeGreaterThan(generation);
    await broker.restart();
    await broker.produce(name, { key: "k", value: "restarted" });
    await expect.poll(() => seen.has("restarted"), POLL).toBe(true);
  });

  test("holds what a rule is about until it is released, and fails for a rule that never bit", async () => {
    await using held = await broker.addFault({
      api: "OffsetCommit",
      group: name,
      principal: `User:${USER.username}`,
      action: { type: "barrier" },
      times: 1,
    });
    await broker.produce(name, { key: "k", value: "v", partition: 0 });
    await held.arrived();
    expect(await broker.committedOffsets(name, name)).toEqual(new Map());
    await held.release();
    await expect
      .poll(async () => (await broker.committedOffsets(name, name)).get(0), POLL)
      .toBe(1n);
    const idle = await broker.addFault({ clientId: "nobody", action: { type: "drop" } });
    await expect(idle[Symbol.asyncDispose]()).rejects.toThrow(FaultNeverFiredError);
  });

  test("tells what clients did, at once and while it happens", async () => {
    const told: ClientActivity[] = [];
    const end = broker.subscribe((activity) => void told.push(activity));
    await broker.setPassword(USER.username, "battery staple");
    await expect(client(broker).admin().connect()).rejects.toThrow("SASL SCRAM SHA512");
    const activity = await broker.clientActivity();
    expect(activity.map(({ what }) => what)).toEqual(
      expect.arrayContaining(["connection-opened", "authenticated", "JoinGroup"]),
    );
    expect(activity.some(({ what }) => what === "authentication-failed")).toBe(true);
    expect(activity.every(({ node }) => node === 1 || node === 2)).toBe(true);
    await expect.poll(() => told.map(({ what }) => what), POLL).toContain("authentication-failed");
    end();
    await broker.setPassword(USER.username, USER.password);
  });
});
