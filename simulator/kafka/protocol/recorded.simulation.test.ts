import { Kafka, logLevel } from "kafkajs";
import type { Consumer } from "kafkajs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startControlServer } from "#simulator/kafka/control/control-server.ts";
import { localControl } from "#simulator/kafka/control/local-control.ts";
import type { KafkaControl } from "#simulator/kafka/control/operations.ts";
import { remoteControl } from "#simulator/kafka/control/remote-control.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import type { ProtocolEvent } from "./protocol-event.ts";

const TOPIC = "incidents";
const GROUP = "pods";
const POLL = { timeout: 10_000, interval: 5 };

interface Running extends AsyncDisposable {
  readonly cluster: KafkaCluster;
  readonly control: KafkaControl;
}

async function startLocal(): Promise<Running> {
  const cluster = await startKafka({
    topics: [{ name: TOPIC, partitions: 2 }],
    protocolEventsMax: 1000,
    sessionTimeoutMsMin: 100,
  });
  const control = localControl(cluster);
  const dispose = async (): Promise<void> => {
    control[Symbol.dispose]();
    await cluster[Symbol.asyncDispose]();
  };
  return { cluster, control, [Symbol.asyncDispose]: dispose };
}

async function startRemote(): Promise<Running> {
  const { cluster, control, ...local } = await startLocal();
  const controlServer = await startControlServer(control, { host: "127.0.0.1", port: 0 });
  const dispose = async (): Promise<void> => {
    await controlServer[Symbol.asyncDispose]();
    await local[Symbol.asyncDispose]();
  };
  const remote = remoteControl({ url: controlServer.url });
  return { cluster, control: remote, [Symbol.asyncDispose]: dispose };
}

async function consume({ cluster }: Running, clientId: string): Promise<Consumer> {
  const consumer = new Kafka({
    clientId,
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5, maxRetryTime: 50, retries: 20 },
  }).consumer({
    groupId: GROUP,
    heartbeatInterval: 30,
    maxWaitTimeInMs: 30,
    retry: { initialRetryTime: 5, maxRetryTime: 50, retries: 50 },
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({ eachMessage: async () => undefined });
  return consumer;
}

describe.each([
  ["in this process", startLocal],
  ["over HTTP", startRemote],
])("the history of the protocol, %s", (_where, start) => {
  let running: Running;

  beforeEach(async () => {
    running = await start();
  });

  afterEach(() => running[Symbol.asyncDispose]());

  const events = async (): Promise<ProtocolEvent[]> =>
    (await running.control.protocolHistory({ after: 0 })).events;
  const generations = async () =>
    (await events()).filter((event) => event.type === "generation-formed");
  const commits = async () => (await events()).filter((event) => event.type === "offset-committed");
  const append = (partition: number) =>
    running.control.append({ topic: TOPIC, key: null, value: Buffer.from("v"), partition });

  test("says who was given which records, and who committed what in which generation", async () => {
    const beganMs = Date.now();
    const consumer = await consume(running, "pod-a");
    for (let count = 0; count < 3; count += 1) await append(1);
    await expect.poll(async () => (await commits()).at(-1)?.offset, POLL).toBe(3n);
    const [generation] = await generations();
    const memberId = running.cluster.group(GROUP).members[0]?.memberId;
    expect(generation).toMatchObject({ group: GROUP, generation: 1 });
    expect(generation?.members).toEqual([
      { memberId, clientId: "pod-a", assignment: expect.anything() },
    ]);
    expect(Buffer.from(generation?.members[0]?.assignment ?? []).includes(TOPIC)).toBe(true);
    const fetched = (await events()).filter((event) => event.type === "records-fetched");
    let next = 0n;
    for (const range of fetched) {
      expect(range).toMatchObject({ clientId: "pod-a", node: 1, topic: TOPIC, partition: 1 });
      expect(range.offset).toBe(next);
      next = range.nextOffset;
    }
    expect(next).toBe(3n);
    expect((await commits()).at(-1)).toEqual({
      type: "offset-committed",
      atMs: expect.any(Number),
      node: 1,
      group: GROUP,
      memberId,
      generation: 1,
      clientId: "pod-a",
      topic: TOPIC,
      partition: 1,
      offset: 3n,
      error: null,
    });
    const times = (await events()).map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
    expect(times[0]).toBeGreaterThanOrEqual(beganMs);
    await consumer.disconnect();
    expect((await generations()).at(-1)).toMatchObject({ generation: 2, members: [] });
  });

  test("has every generation with all of its members", async () => {
    const first = await consume(running, "pod-a");
    const second = await consume(running, "pod-b");
    const clients = async () =>
      (await generations())
        .at(-1)
        ?.members.map(({ clientId }) => clientId)
        .toSorted();
    await expect.poll(clients, POLL).toEqual(["pod-a", "pod-b"]);
    await second.disconnect();
    await expect.poll(clients, POLL).toEqual(["pod-a"]);
    const numbers = (await generations()).map(({ generation }) => generation);
    expect(numbers).toEqual(numbers.map((_, index) => index + (numbers[0] ?? 0)));
    await first.disconnect();
  });

  test("has a commit whose reply was lost, and the error of one that was refused", async () => {
    const { control } = running;
    const consumer = await consume(running, "pod-a");
    const { id } = await control.addFault({
      api: "OffsetCommit",
      direction: "reply",
      action: { type: "drop" },
      times: 1,
    });
    await append(0);
    await control.fault({ id, waitMs: 10_000 });
    expect((await commits())[0]).toMatchObject({ partition: 0, offset: 1n, error: null });
    await control.removeFault({ id });
    const held = await control.addFault({
      api: "OffsetCommit",
      direction: "request",
      action: { type: "barrier" },
      times: 1,
    });
    await append(1);
    await control.fault({ id: held.id, waitMs: 10_000 });
    const of = running.cluster.group(GROUP).members[0]?.memberId ?? "";
    await control.expire({ group: GROUP, member: of });
    await control.removeFault({ id: held.id });
    await expect
      .poll(async () => (await commits()).find(({ error }) => error !== null), POLL)
      .toMatchObject({ memberId: of, clientId: "pod-a", error: "UNKNOWN_MEMBER_ID" });
    await consumer.disconnect();
  });
});
