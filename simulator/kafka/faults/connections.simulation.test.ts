import { describe, expect, test, vi } from "vitest";
import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";
import { offsetCommit } from "#simulator/kafka/apis/08-offset-commit.ts";
import { saslHandshake } from "#simulator/kafka/apis/17-sasl-handshake.ts";
import { saslAuthenticate } from "#simulator/kafka/apis/36-sasl-authenticate.ts";
import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import type { FaultRule } from "./fault-registry.ts";
import type { ListenerOptions } from "#simulator/kafka/cluster/options.ts";
import { apiVersions } from "#simulator/kafka/parity/testing/versions.ts";
import { WireConnection } from "#simulator/kafka/parity/wire-connection.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const TOPIC = "t";
const GROUP = "g";
const CLIENT_ID = "pod-1";

const drop: FaultRule = { connections: true, clientId: CLIENT_ID, action: { type: "drop" } };
const blackholed: FaultRule = {
  connections: true,
  clientId: CLIENT_ID,
  action: { type: "blackhole" },
};
const mute: FaultRule = { ...blackholed, direction: "reply" };

const PLAINTEXT: ListenerOptions = { name: "plaintext" };
const SASL: ListenerOptions = { name: "sasl", sasl: { mechanisms: ["PLAIN"] } };

/** A client that sends without waiting, and counts the answers. */
class Client implements Disposable {
  answers = 0;
  isClosed = false;
  readonly closed: Promise<void>;
  readonly #connection: WireConnection;

  static async connect(
    cluster: KafkaCluster,
    clientId = CLIENT_ID,
    listener = PLAINTEXT.name,
  ): Promise<Client> {
    const [host = "", port] = cluster.bootstrap(listener)[0]?.split(":") ?? [];
    return new Client(await WireConnection.open({ host, port: Number(port) }, clientId));
  }

  private constructor(connection: WireConnection) {
    this.#connection = connection;
    this.closed = this.#read();
  }

  ask(): void {
    this.#connection.send(apiVersions, 0, {});
  }

  commit(offset: bigint): void {
    const place = { index: 0, committedOffset: offset, committedMetadata: null };
    const topics = [{ name: TOPIC, partitions: [{ ...place, committedLeaderEpoch: -1 }] }];
    this.#connection.send(offsetCommit, 8, {
      groupId: GROUP,
      generationId: -1,
      memberId: "",
      groupInstanceId: null,
      topics,
    });
  }

  handshake(): void {
    this.#connection.send(saslHandshake, 1, { mechanism: "PLAIN" });
  }

  authenticate(password: string): void {
    const authBytes = Buffer.from(`\0user\0${password}`);
    this.#connection.send(saslAuthenticate, 2, { authBytes });
  }

  sendBytes(bytes: Buffer): void {
    this.#connection.sendBytes(bytes);
  }

  async answered(count: number): Promise<void> {
    await vi.waitUntil(() => this.answers === count, { interval: 5, timeout: 5000 });
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  async #read(): Promise<void> {
    while ((await this.#connection.receive()) !== undefined) this.answers += 1;
    await this.#connection.closed;
    this.isClosed = true;
  }
}

interface TestBed extends AsyncDisposable {
  readonly cluster: KafkaCluster;
  /**
   * The events about rules and about the end of connections, in order, such as `connection-closed:
   * fault drop`.
   */
  readonly ends: readonly string[];
  /** The client that the rules are about, after one answer. */
  readonly client: Client;
  /**
   * Waits until another client has been answered twice: everything sent before has then been read,
   * and every closed connection is seen as closed.
   */
  catchUp(): Promise<void>;
  committed(): bigint | undefined;
}

async function open(): Promise<TestBed> {
  await using starting = new AsyncDisposableStack();
  const cluster = starting.use(
    await startKafka({
      topics: [TOPIC],
      listeners: [PLAINTEXT, SASL],
      users: { user: "right" },
      failedAuthenticationDelayMs: 60_000,
    }),
  );
  const ends: string[] = [];
  cluster.onEvent((event) => {
    const end = describeEnd(event);
    if (end !== undefined) ends.push(end);
  });
  const client = starting.use(await Client.connect(cluster));
  client.ask();
  await client.answered(1);
  const other = starting.use(await Client.connect(cluster, "other"));
  const stack = starting.move();
  return {
    cluster,
    ends,
    client,
    async catchUp() {
      for (const _ of [1, 2]) {
        other.ask();
        await other.answered(other.answers + 1);
      }
    },
    committed: () => cluster.group(GROUP).committed(TOPIC, 0)?.offset,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function describeEnd(event: KafkaEvent): string | undefined {
  if (event.type === "connection-closed") {
    return event.reason === undefined ? event.type : `${event.type}: ${event.reason}`;
  }
  if (event.type !== "connection-refused" && event.type !== "connection-broken") return undefined;
  return `${event.type} of ${event.clientId} by ${event.action}`;
}

describe("a connection that is dropped", () => {
  test("is refused at its first request, without an answer, each time", async () => {
    await using testBed = await open();
    using fault = testBed.cluster.faults.add({ ...drop, clientId: "new" });
    for (const count of [1, 2]) {
      using client = await Client.connect(testBed.cluster, "new");
      client.commit(7n);
      await client.closed;
      expect([client.answers, fault.hits]).toEqual([0, count]);
    }
    expect(testBed.committed()).toBeUndefined();
    await expect
      .poll(() => testBed.ends.slice(0, 2))
      .toEqual(["connection-refused of new by drop", "connection-closed: fault drop"]);
  });

  test("is broken at once where it is open already", async () => {
    await using testBed = await open();
    using fault = testBed.cluster.faults.add(drop);
    expect([fault.hits, fault.firstHit?.clientId]).toEqual([1, CLIENT_ID]);
    await testBed.client.closed;
    await expect
      .poll(() => [...testBed.ends])
      .toEqual([`connection-broken of ${CLIENT_ID} by drop`, "connection-closed: fault drop"]);
  });
});

describe("a connection with a blackhole", () => {
  test("applies and answers nothing, and stays open until the rule releases it", async () => {
    await using testBed = await open();
    using fault = testBed.cluster.faults.add(blackholed);
    testBed.client.commit(7n);
    await testBed.catchUp();
    expect([testBed.client.isClosed, testBed.client.answers]).toEqual([false, 1]);
    fault.release();
    await testBed.client.closed;
    expect(testBed.committed()).toBeUndefined();
    expect(testBed.client.answers).toBe(1);
    await expect
      .poll(() => [...testBed.ends])
      .toEqual([
        `connection-broken of ${CLIENT_ID} by blackhole`,
        "connection-closed: fault blackhole",
      ]);
  });

  test("is swallowed from its first request on when it is new", async () => {
    await using testBed = await open();
    using fault = testBed.cluster.faults.add({ ...blackholed, clientId: "new" });
    using client = await Client.connect(testBed.cluster, "new");
    client.commit(7n);
    await fault.arrived;
    await testBed.catchUp();
    expect([client.isClosed, client.answers, testBed.committed()]).toEqual([false, 0, undefined]);
    fault[Symbol.dispose]();
    await client.closed;
    expect(testBed.ends[0]).toBe("connection-refused of new by blackhole");
  });

  test("ends with its client", async () => {
    await using testBed = await open();
    using fault = testBed.cluster.faults.add(blackholed);
    testBed.client[Symbol.dispose]();
    await expect.poll(() => testBed.ends.at(-1)).toBe("connection-closed");
    expect(fault.hits).toBe(1);
  });

  test("ends with its node", async () => {
    await using testBed = await open();
    using fault = testBed.cluster.faults.add(blackholed);
    await testBed.cluster.node(1).kill();
    await testBed.client.closed;
    expect(testBed.ends.slice(1)).toEqual(["connection-closed", "connection-closed"]);
    expect(fault.hits).toBe(1);
  });

  test.each([
    ["blackholed", blackholed],
    ["mute", mute],
  ])("is not met by any other rule, %s", async (_name, rule) => {
    await using testBed = await open();
    using first = testBed.cluster.faults.add(rule);
    using second = testBed.cluster.faults.add({ ...drop, optional: true });
    await testBed.catchUp();
    expect([first.hits, second.hits, testBed.client.isClosed]).toEqual([1, 0, false]);
  });
});

describe("a connection that a blackhole meets in the middle of an exchange", () => {
  const held: FaultRule = { api: "OffsetCommit", action: { type: "barrier" } };

  test.each<FaultRule>([
    { api: "OffsetCommit", direction: "reply", action: { type: "drop" } },
    { api: "OffsetCommit", action: { type: "truncate" } },
    { api: "OffsetCommit", action: { type: "blackhole", bytes: 1 } },
  ])("stays open when %o is about the reply; what had been read is applied", async (ofReply) => {
    await using testBed = await open();
    const { cluster, client } = testBed;
    using barrier = cluster.faults.add(held);
    using reply = cluster.faults.add(ofReply);
    client.commit(7n);
    await barrier.arrived;
    using fault = cluster.faults.add(blackholed);
    barrier.release();
    await reply.arrived;
    await testBed.catchUp();
    expect([testBed.committed(), client.answers, client.isClosed]).toEqual([7n, 1, false]);
    fault.release();
    await client.closed;
  });

  test("stays open when the exchange was swallowed and its rule ends first", async () => {
    await using testBed = await open();
    const { cluster, client } = testBed;
    using swallowed = cluster.faults.add({ ...held, action: { type: "blackhole" } });
    client.commit(7n);
    await swallowed.arrived;
    using fault = cluster.faults.add(blackholed);
    await testBed.catchUp();
    swallowed[Symbol.dispose]();
    await testBed.catchUp();
    expect([client.isClosed, ...testBed.ends]).toEqual([
      false,
      `connection-broken of ${CLIENT_ID} by blackhole`,
    ]);
    fault.release();
    await client.closed;
  });

  test("stays open when it was about to be closed for a wrong password", async () => {
    await using testBed = await open();
    const { cluster } = testBed;
    const failed = Promise.withResolvers<void>();
    cluster.onEvent(({ type }) => {
      if (type === "authentication-failed") failed.resolve();
    });
    using client = await Client.connect(cluster, "login", SASL.name);
    client.handshake();
    client.authenticate("wrong");
    await failed.promise;
    using fault = cluster.faults.add({ ...blackholed, clientId: "login" });
    await testBed.catchUp();
    expect([fault.hits, client.answers, client.isClosed]).toEqual([1, 1, false]);
    fault.release();
    await client.closed;
  });
});

describe("a connection that is mute", () => {
  test("applies, answers nothing, and stays open until the rule releases it", async () => {
    await using testBed = await open();
    using fault = testBed.cluster.faults.add(mute);
    testBed.client.commit(7n);
    await expect.poll(() => testBed.committed()).toBe(7n);
    testBed.client.commit(8n);
    await expect.poll(() => testBed.committed()).toBe(8n);
    await testBed.catchUp();
    expect([testBed.client.answers, testBed.client.isClosed, fault.hits]).toEqual([1, false, 1]);
    fault.release();
    await testBed.client.closed;
    expect(testBed.client.answers).toBe(1);
  });

  test("does not show that the broker has given up on it", async () => {
    await using testBed = await open();
    using fault = testBed.cluster.faults.add(mute);
    const unknownApi = Buffer.from([0, 0, 0, 10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
    testBed.client.sendBytes(unknownApi);
    testBed.client.commit(7n);
    await testBed.catchUp();
    expect([testBed.client.isClosed, testBed.committed()]).toEqual([false, undefined]);
    fault.release();
    await testBed.client.closed;
  });
});

test("another client keeps its connection, and a rule that met none reports it at its end", async () => {
  await using testBed = await open();
  const fault = testBed.cluster.faults.add({ ...blackholed, clientId: "nobody" });
  testBed.client.commit(7n);
  await testBed.client.answered(2);
  expect([testBed.committed(), testBed.client.isClosed, fault.hits]).toEqual([7n, false, 0]);
  expect(() => fault[Symbol.dispose]()).toThrow(FaultNeverFiredError);
});

test("every connection counts once, and all of them end with the rule", async () => {
  await using testBed = await open();
  using second = await Client.connect(testBed.cluster);
  second.ask();
  await second.answered(1);
  const fault = testBed.cluster.faults.add(blackholed);
  expect(fault.hits).toBe(2);
  using third = await Client.connect(testBed.cluster);
  third.ask();
  third.ask();
  const clients = [testBed.client, second, third];
  await expect.poll(() => fault.hits).toBe(3);
  await testBed.catchUp();
  expect(clients.map(({ isClosed }) => isClosed)).toEqual([false, false, false]);
  fault[Symbol.dispose]();
  await Promise.all(clients.map(({ closed }) => closed));
  expect(fault.hits).toBe(3);
});
