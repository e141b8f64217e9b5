import { Kafka, logLevel } from "kafkajs";
import type { Consumer } from "kafkajs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import { EventLog } from "./event-log.ts";
import { installFault } from "./install-fault.ts";
import { localControl } from "./local-control.ts";
import type { KafkaControl } from "./operations.ts";
import { remoteControl } from "./remote-control.ts";
import { startControlServer } from "./control-server.ts";

const TOPIC = "incidents";
const GROUP = "pods/blue";
const POLL = { timeout: 10_000, interval: 5 };

interface Running extends AsyncDisposable {
  readonly cluster: KafkaCluster;
  readonly control: KafkaControl;
}

async function startLocal(): Promise<Running> {
  const cluster = await startKafka({
    nodes: 3,
    listeners: [{ name: "plaintext" }, { name: "sasl", sasl: { mechanisms: ["PLAIN"] } }],
    topics: [{ name: TOPIC, partitions: 3 }],
    failedAuthenticationDelayMs: 0,
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
  const token = "correct-horse";
  const controlServer = await startControlServer(control, { host: "127.0.0.1", port: 0, token });
  const dispose = async (): Promise<void> => {
    await controlServer[Symbol.asyncDispose]();
    await local[Symbol.asyncDispose]();
  };
  const remote = remoteControl({ url: controlServer.url, token });
  return { cluster, control: remote, [Symbol.asyncDispose]: dispose };
}

const client = ({ cluster }: Running, clientId = "client") =>
  new Kafka({
    clientId,
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5, maxRetryTime: 50, retries: 20 },
  });

const record = (value: string, partition?: number) => ({
  topic: TOPIC,
  key: Buffer.from("k"),
  value: Buffer.from(value),
  ...(partition !== undefined && { partition }),
});

async function consume(running: Running, seen = new Set<string>()): Promise<Consumer> {
  const consumer = client(running).consumer({
    groupId: GROUP,
    heartbeatInterval: 30,
    maxWaitTimeInMs: 30,
    retry: { initialRetryTime: 5, maxRetryTime: 50, retries: 50 },
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.add(String(message.value)) });
  await expect.poll(() => running.cluster.group(GROUP).state, POLL).toBe("Stable");
  return consumer;
}

describe.each([
  ["in this process", startLocal],
  ["over HTTP", startRemote],
])("the control of a broker, %s", (_where, start) => {
  let running: Running;
  let control: KafkaControl;

  beforeEach(async () => {
    running = await start();
    ({ control } = running);
  });

  afterEach(() => running[Symbol.asyncDispose]());

  test("returns the addresses of the nodes", async () => {
    expect(await control.bootstrap()).toEqual(running.cluster.bootstrap());
    expect(await control.bootstrap({ listener: "plaintext" })).toHaveLength(3);
    await expect(control.bootstrap({ listener: "x" })).rejects.toThrow(RangeError);
  });

  test("appends and reads records, and deletes the first ones", async () => {
    await control.createTopic({
      name: "other",
      partitions: 1,
      config: { "retention.ms": "1000000" },
    });
    await expect(control.createTopic({ name: "other" })).rejects.toThrow("TOPIC_ALREADY_EXISTS");
    expect(await control.topics()).toEqual([TOPIC, "other"]);
    const value = Buffer.from([0, 255, 10]);
    const headers = { why: Buffer.from("ünïcode") };
    const first = await control.append({ topic: "other", key: null, value, headers });
    expect(first).toEqual({ partition: 0, offset: 0n });
    expect(await control.append({ topic: "other", key: Buffer.from("k"), value: null })).toEqual({
      partition: 0,
      offset: 1n,
    });
    const stored = await control.records({ topic: "other" });
    expect(stored).toMatchObject([
      { partition: 0, offset: 0n, key: null, value, headers: [["why", headers.why]] },
      { partition: 0, offset: 1n, key: Buffer.from("k"), value: null, headers: [] },
    ]);
    expect(Math.abs(Date.now() - (stored[0]?.timestampMs ?? 0))).toBeLessThan(60_000);
    await control.deleteRecordsBefore({ topic: "other", partition: 0, offset: 1n });
    expect(await control.topic({ topic: "other" })).toEqual({
      name: "other",
      partitions: [{ index: 0, leader: expect.any(Number), startOffset: 1n, endOffset: 2n }],
    });
    expect(await control.records({ topic: "other" })).toHaveLength(1);
    const beyond = { topic: "other", partition: 0, offset: 3n };
    await expect(control.deleteRecordsBefore(beyond)).rejects.toThrow(
      "offset 3 is past the end, 2",
    );
    await expect(control.records({ topic: "x" })).rejects.toThrow(new RangeError("no topic x"));
    await expect(control.append(record("v", 7))).rejects.toThrow(RangeError);
  });

  test("chooses the partition that a client chooses for the key, and takes turns without one", async () => {
    const producer = client(running).producer();
    await producer.connect();
    for (const key of ["a", "key-17", "5113f951b323d5e1c07bde84"]) {
      const [sent] = await producer.send({ topic: TOPIC, messages: [{ key, value: "v" }] });
      const appended = await control.append({ topic: TOPIC, key: Buffer.from(key), value: null });
      expect(appended.partition).toBe(sent?.partition);
    }
    await producer.disconnect();
    const turns: number[] = [];
    for (const value of [Buffer.from("1"), Buffer.from("2"), Buffer.from("3")]) {
      turns.push((await control.append({ topic: TOPIC, key: null, value })).partition);
    }
    expect(turns.toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  });

  test("moves leaders and kills and starts nodes, while a client goes on", async () => {
    const leaders = async (): Promise<number[]> =>
      (await control.topic({ topic: TOPIC })).partitions.map(({ leader }) => leader);
    expect(await leaders()).toEqual([1, 2, 3]);
    await control.moveLeader({ topic: TOPIC, partition: 0, node: 3 });
    expect(await leaders()).toEqual([3, 2, 3]);
    const seen = new Set<string>();
    const consumer = await consume(running, seen);
    for (const partition of [0, 1, 2]) await control.append(record(`a${partition}`, partition));
    await expect.poll(() => [...seen].toSorted(), POLL).toEqual(["a0", "a1", "a2"]);
    expect((await control.killNode({ node: 3 })).connectionsCut).toBeGreaterThan(0);
    expect(await control.killNode({ node: 3 })).toEqual({ connectionsCut: 0 });
    expect(await control.nodes()).toEqual([
      { id: 1, alive: true },
      { id: 2, alive: true },
      { id: 3, alive: false },
    ]);
    await control.killNode({ node: 2 });
    expect(await leaders()).toEqual([1, 1, 1]);
    await control.startNode({ node: 3 });
    for (const partition of [0, 1, 2]) await control.append(record(`b${partition}`, partition));
    await expect
      .poll(() => [...seen].toSorted(), POLL)
      .toEqual(["a0", "a1", "a2", "b0", "b1", "b2"]);
    await expect(control.killNode({ node: 9 })).rejects.toThrow(new RangeError("no node 9"));
    const dead = { topic: TOPIC, partition: 0, node: 2 };
    await expect(control.moveLeader(dead)).rejects.toThrow("node 2 has no living replica");
    await expect(control.moveCoordinator({ group: GROUP, node: 2 })).rejects.toThrow(RangeError);
    await consumer.disconnect();
  });

  test("shows a group and its offsets, rebalances, moves, expires and evicts it", async () => {
    expect(await control.group({ group: GROUP })).toMatchObject({ state: "Dead", members: [] });
    expect(await control.rebalance({ group: GROUP })).toBe(false);
    const consumer = await consume(running);
    await control.append(record("v", 1));
    await expect
      .poll(async () => (await control.offsets({ group: GROUP })).map(({ offset }) => offset), POLL)
      .toContain(1n);
    const offsets = await control.offsets({ group: GROUP });
    expect(offsets).toContainEqual({
      topic: TOPIC,
      partition: 1,
      offset: 1n,
      leaderEpoch: -1,
      metadata: null,
      committedAtMs: expect.any(Number),
    });
    const group = () => control.group({ group: GROUP });
    const stable = async (after: number): Promise<number> => {
      await expect
        .poll(async () => {
          const { state, generation, members } = await group();
          return state === "Stable" && generation > after && members.length === 1;
        }, POLL)
        .toBe(true);
      return (await group()).generation;
    };
    const first = await group();
    expect(await control.groups()).toEqual([GROUP]);
    expect(first.members).toMatchObject([{ clientId: "client", instanceId: null }]);
    expect(Buffer.from(first.members[0]?.assignment ?? []).includes(TOPIC)).toBe(true);

    expect(await control.rebalance({ group: GROUP })).toBe(true);
    let generation = await stable(first.generation);
    const member = first.members[0]?.memberId ?? "";
    expect((await group()).members[0]?.memberId).toBe(member);

    await control.expire({ group: GROUP, member });
    generation = await stable(generation);
    const second = (await group()).members[0]?.memberId ?? "";
    expect(second).not.toBe(member);
    await expect(control.expire({ group: GROUP, member })).rejects.toThrow(
      new RangeError(`no member ${member} of group ${GROUP}`),
    );

    await control.advanceSession({ group: GROUP, member: second, byMs: 3_600_000 });
    generation = await stable(generation);
    expect((await group()).members[0]?.memberId).not.toBe(second);

    await control.evict({ group: GROUP });
    await stable(generation);
    expect(await control.offsets({ group: GROUP })).toEqual(offsets);

    const { coordinator } = await group();
    const node = (coordinator % 3) + 1;
    await control.moveCoordinator({ group: GROUP, node });
    expect((await group()).coordinator).toBe(node);
    await consumer.disconnect();
  });

  test("installs rules in order, reports what they hold, releases and removes them", async () => {
    const producer = client(running, "producer").producer();
    await producer.connect();
    await using held = await installFault(control, {
      api: "Produce",
      topic: TOPIC,
      partition: 1,
      action: { type: "barrier" },
      times: 1,
    });
    await using spare = await installFault(control, {
      clientId: "nobody",
      action: { type: "throttle", throttleTimeMs: 1 },
      probability: 0.5,
      seed: 3,
      optional: true,
    });
    expect(await held.hits()).toBe(0);
    const arriving = held.arrived();
    let isSent = false;
    const sending = producer
      .send({ topic: TOPIC, messages: [{ value: "v", partition: 1 }] })
      .then(() => (isSent = true));
    expect(await arriving).toMatchObject({
      api: "Produce",
      clientId: "producer",
      partitions: [{ topic: TOPIC, partition: 1 }],
    });
    const installed = await control.faults();
    expect(installed.map(({ rule, hits }) => ({ rule, hits }))).toEqual([
      { rule: held.rule, hits: 1 },
      { rule: spare.rule, hits: 0 },
    ]);
    expect(isSent).toBe(false);
    await held.release();
    await sending;
    await held[Symbol.asyncDispose]();
    await held[Symbol.asyncDispose]();
    expect(await held.hits()).toBe(1);
    expect(await control.faults()).toHaveLength(1);
    await producer.disconnect();
  });

  test("a rule that was never triggered is an error at its end, and its waiters are told", async () => {
    const fault = await installFault(control, { api: "Produce", action: { type: "drop" } });
    const arriving = fault.arrived().catch(String);
    await expect(fault[Symbol.asyncDispose]()).rejects.toThrow(
      new FaultNeverFiredError("the fault never fired: drop the request, api Produce"),
    );
    expect(await arriving).toContain("the fault was removed: drop the request, api Produce");
    expect(await control.faults()).toEqual([]);
  });

  test("refuses a rule that can never do what it says, and the id of an unknown rule", async () => {
    const unknown = { action: { type: "error", error: "NO_SUCH" } } as const;
    await expect(control.addFault(unknown)).rejects.toThrow(
      new RangeError("unknown Kafka error name NO_SUCH"),
    );
    await expect(control.fault({ id: 7 })).rejects.toThrow(new RangeError("no fault 7"));
    await expect(control.removeFault({ id: 7 })).rejects.toThrow(RangeError);
  });

  test("returns what clients did, in order, from the first event or after a number, and waits for more", async () => {
    const none = await control.events({ after: 0 });
    expect(none).toEqual({ events: [], last: 0, missed: 0 });
    const waiting = control.events({ after: 0, waitMs: 10_000 });
    const admin = client(running).admin();
    await admin.connect();
    expect((await waiting).events[0]).toMatchObject({ type: "connection-opened", node: 1 });
    await admin.listTopics();
    await admin.disconnect();
    const { events, last } = await control.events({ after: 0 });
    expect(events.filter(({ type }) => type === "request").length).toBeGreaterThan(1);
    expect(last).toBe(events.length);
    expect((await control.events({ after: last - 2 })).events).toEqual(events.slice(-2));
    const ending = new AbortController();
    const more = control.events({ after: last + 100, waitMs: 60_000 }, ending.signal);
    ending.abort(new Error("over"));
    await expect(more).rejects.toThrow("over");
  });

  test("changes passwords and deletes users", async () => {
    const brokers = await control.bootstrap({ listener: "sasl" });
    const logsIn = async (password: string): Promise<boolean> => {
      const admin = new Kafka({
        brokers,
        logLevel: logLevel.NOTHING,
        retry: { retries: 0 },
        sasl: { mechanism: "plain", username: "sre/consumer", password },
      }).admin();
      const isIn = await admin.connect().then(
        () => true,
        () => false,
      );
      await admin.disconnect();
      return isIn;
    };
    expect(await logsIn("correct horse")).toBe(false);
    await control.setPassword({ user: "sre/consumer", password: "correct horse" });
    expect(await logsIn("correct horse")).toBe(true);
    expect(await logsIn("battery staple")).toBe(false);
    await control.deleteUser({ user: "sre/consumer" });
    expect(await logsIn("correct horse")).toBe(false);
  });
});

test("events that are not kept any more are counted as missed", async () => {
  await using running = await startLocal();
  using log = new EventLog(running.cluster, 2);
  const admin = client(running).admin();
  await admin.connect();
  await admin.listTopics();
  await admin.disconnect();
  const { events, last, missed } = log.after(0);
  expect(missed).toBeGreaterThan(0);
  expect(events.length + missed).toBe(last);
  expect(log.after(last - 1)).toEqual({ events: events.slice(-1), last, missed: 0 });
});

describe("the control server", () => {
  test("requires the token, and without one serves this machine only", async () => {
    await using running = await startLocal();
    const { control } = running;
    await using guarded = await startControlServer(control, {
      host: "127.0.0.1",
      port: 0,
      token: "right",
    });
    for (const token of [undefined, "wrong", "rights"]) {
      const stranger = remoteControl({ url: guarded.url, ...(token !== undefined && { token }) });
      await expect(stranger.nodes()).rejects.toThrow("status 401, a bearer token is required");
    }
    await expect(startControlServer(control, { host: "0.0.0.0", port: 0 })).rejects.toThrow(
      new RangeError("control on 0.0.0.0: only loopback addresses may do without a token"),
    );
    await using open = await startControlServer(control, { host: "localhost", port: 0 });
    expect(await remoteControl({ url: open.url }).nodes()).toHaveLength(3);
  });

  test.each<[method: "GET" | "POST" | "PUT", path: string, body: unknown, status: number]>([
    ["POST", "/faults", { action: { type: "drop" }, api: "Fetch", optional: true }, 200],
    ["POST", "/faults", { action: { type: "drop" }, apy: "Fetch" }, 400],
    ["POST", "/faults", { action: { type: "explode" } }, 400],
    ["POST", "/faults", "{", 400],
    ["PUT", "/topics/incidents/partitions/x/leader", { node: 1 }, 400],
    ["GET", "/events?after=-1", undefined, 400],
    ["GET", "/nothing", undefined, 404],
  ])("answers %s %s %o with %i", async (method, path, body, status) => {
    await using running = await startLocal();
    await using controlServer = await startControlServer(running.control, {
      host: "127.0.0.1",
      port: 0,
    });
    const answer = await requestJson(`${controlServer.url}${path}`, {
      method,
      body,
      headers: { "content-type": "application/json" },
    });
    expect(answer.status).toBe(status);
  });
});
