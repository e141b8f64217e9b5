import { Kafka, logLevel } from "kafkajs";
import type { Consumer } from "kafkajs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AbilityLackingError } from "#e2e/base/abilities.ts";
import type { Ability } from "#e2e/base/abilities.ts";
import { FaultNeverFiredError } from "#e2e/errors.ts";
import type { Broker, ClientActivity } from "#e2e/brokers/broker.ts";

export interface ContractSubject extends AsyncDisposable {
  readonly broker: Broker;
  readonly user: { readonly username: string; readonly password: string };
  /** The authority of the broker's certificate, as PEM. */
  readonly authorityPem: string;
}

export interface ContractOptions {
  /** Completes the name of the test suite. */
  readonly subject: string;
  readonly abilities: ReadonlySet<Ability>;
  readonly start: () => Promise<ContractSubject>;
}

const POLL = { timeout: 40_000, interval: 20 };
const START_MS_MAX = 180_000;

/**
 * Tests what scenarios may rely on, for every broker. Each ability is tested where the broker has it, and its refusal
 * where the broker lacks it.
 */
export function brokerContract({ subject, abilities, start }: ContractOptions): void {
  const without = (ability: Ability): boolean => !abilities.has(ability);

  describe(`the broker ${subject}, as scenarios see it`, () => {
    let running: ContractSubject;
    let broker: Broker;
    /** The name of the topic and of its group. */
    let name: string;
    let seen: Set<string>;
    let consumer: Consumer;

    beforeAll(async () => {
      running = await start();
      ({ broker } = running);
    }, START_MS_MAX);

    afterAll(() => running[Symbol.asyncDispose]());

    beforeEach(async ({ task }) => {
      name = `t-${task.id}`;
      seen = new Set();
      await broker.createTopic(name, 2);
      consumer = await consume(running, name, seen);
    });

    afterEach(() => consumer.disconnect());

    const sees = async (value: string): Promise<void> => {
      await expect.poll(() => seen.has(value), POLL).toBe(true);
    };

    /**
     * Waits until the consumer has all the connections that it needs, since kafkajs gives up when a connection is cut
     * while it authenticates.
     */
    const connected = async (): Promise<void> => {
      for (const partition of [0, 1]) {
        await broker.produce(name, { key: "k", value: `first ${partition}`, partition });
        await sees(`first ${partition}`);
      }
    };

    test("has the abilities that it declares", () => {
      expect(broker.abilities).toEqual(abilities);
    });

    test("appends records, and returns their positions and the offsets of a group", async () => {
      const other = `${name}-other`;
      await broker.createTopic(other, 3);
      expect(await broker.endOffsets(other)).toEqual(new Map([0, 1, 2].map((one) => [one, 0n])));
      expect(await broker.read(other)).toEqual([]);
      const position = await broker.produce(name, { key: "k", value: "v", partition: 1 });
      expect(position).toEqual({ partition: 1, offset: 0n });
      await broker.produce(other, { key: null, value: null, partition: 2 });
      expect(await broker.read(other)).toEqual([
        {
          partition: 2,
          offset: 0n,
          timestampMs: expect.closeTo(Date.now(), -5),
          key: null,
          value: null,
          headers: {},
        },
      ]);
      expect(await broker.read(name)).toEqual([
        {
          partition: 1,
          offset: 0n,
          timestampMs: expect.closeTo(Date.now(), -5),
          key: "k",
          value: Buffer.from("v"),
          headers: {},
        },
      ]);
      await expect
        .poll(async () => (await broker.committedOffsets(name, name)).get(1), POLL)
        .toBe(1n);
      expect(await broker.committedOffsets(name, other)).toEqual(new Map());
      expect(await broker.committedOffsets(`${name}-nobody`, name)).toEqual(new Map());
    });

    test("continues to read after records that were written at the same time", async () => {
      const values = Array.from({ length: 20 }, (_, index) => String(index));
      await Promise.all(values.map((value) => broker.produce(name, { key: value, value })));
      const first = await broker.read(name);
      expect(first.map(({ key }) => Number(key)).toSorted((a, b) => a - b)).toEqual(
        values.map(Number),
      );
      await broker.produce(name, { key: "last", value: new Uint8Array([0, 255]), partition: 0 });
      const all = await broker.read(name);
      expect(all).toHaveLength(21);
      expect(all.find(({ key }) => key === "last")?.value).toEqual(Buffer.from([0, 255]));
      expect([...(await broker.endOffsets(name)).values()].reduce((sum, end) => sum + end)).toBe(
        21n,
      );
    });

    test("lists the members of a group with their partitions, without members that have left", async () => {
      expect(await broker.members(name)).toMatchObject([
        {
          clientId: "pod",
          partitions: [
            { topic: name, partition: 0 },
            { topic: name, partition: 1 },
          ],
        },
      ]);
      await consumer.disconnect();
      expect(await broker.members(name)).toEqual([]);
      expect(await broker.members(`${name}-nobody`)).toEqual([]);
    });

    const fault = { clientId: "nobody", action: { type: "drop" } } as const;
    const uses: [Ability, () => Promise<unknown>][] = [
      ["fault-rules", () => broker.addFault(fault)],
      ["forced-rebalance", () => broker.rebalance(name)],
      ["broker-nodes", () => broker.moveLeader(name, 0, 1)],
      ["broker-connections", () => broker.restart()],
      ["broker-history", () => broker.protocolHistory()],
      ["broker-users", () => broker.setPassword(running.user.username, "other")],
    ];
    test.each(uses.filter(([ability]) => without(ability)))(
      "refuses what needs the ability %s",
      async (_ability, use) => {
        await expect(use()).rejects.toThrow(AbilityLackingError);
      },
    );

    test.skipIf(without("broker-connections"))(
      "cuts every connection, is away and serves again, and the client continues",
      async () => {
        await connected();
        const activities: ClientActivity[] = [];
        const end = broker.subscribe((activity) => void activities.push(activity));
        await broker.restart();
        await broker.produce(name, { key: "k", value: "restarted" });
        await sees("restarted");
        const nodes = await broker.nodes();
        let cut = 0;
        for (const node of nodes) cut += await broker.killNode(node);
        expect(cut).toBeGreaterThan(0);
        const awayMs = Date.now();
        await expect(client(running).admin().connect()).rejects.toThrow("ECONNREFUSED");
        const opened = (await broker.clientActivity()).filter(
          ({ what, atMs }) => what === "connection-opened" && atMs > awayMs,
        );
        expect(opened).toEqual([]);
        for (const node of nodes) await broker.startNode(node);
        await broker.produce(name, { key: "k", value: "again" });
        await sees("again");
        const whats = (await broker.clientActivity()).map(({ what }) => what);
        expect(whats).toEqual(expect.arrayContaining(["connection-opened", "connection-closed"]));
        await expect
          .poll(() => activities.map(({ what }) => what), POLL)
          .toContain("connection-closed");
        end();
      },
    );

    test.skipIf(without("broker-users"))(
      "changes a password: the old one is refused, and a logged-in client stays connected",
      async () => {
        await connected();
        const { username, password } = running.user;
        await broker.setPassword(username, "battery staple");
        await expect(client(running).admin().connect()).rejects.toThrow("SASL SCRAM SHA512");
        const admin = client(running, "battery staple").admin();
        await admin.connect();
        await admin.disconnect();
        await broker.produce(name, { key: "k", value: "still here" });
        await sees("still here");
        await broker.setPassword(username, password);
        await client(running).admin().connect();
      },
    );

    test.skipIf(without("broker-nodes") || without("forced-rebalance"))(
      "loses nodes and leaders and rebalances, and the client continues",
      async () => {
        await connected();
        const { coordinator, generation } = await broker.group(name);
        const other = 3 - coordinator;
        await broker.moveLeader(name, 0, other);
        expect((await broker.leaders(name)).get(0)).toBe(other);
        expect(await broker.killNode(coordinator)).toBeGreaterThan(0);
        expect(await broker.leaders(name)).toEqual(new Map([0, 1].map((one) => [one, other])));
        expect((await broker.group(name)).coordinator).toBe(other);
        await broker.produce(name, { key: "k", value: "killed" });
        await sees("killed");
        await broker.startNode(coordinator);
        await expect.poll(() => broker.rebalance(name), POLL).toBe(true);
        await expect
          .poll(async () => (await broker.group(name)).generation, POLL)
          .toBeGreaterThan(generation);
      },
    );

    test.skipIf(without("fault-rules"))(
      "holds a request until its rule is released, and fails for a rule that never fired",
      async () => {
        await using held = await broker.addFault({
          api: "OffsetCommit",
          group: name,
          principal: `User:${running.user.username}`,
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
      },
    );

    test.skipIf(without("broker-history"))(
      "reports delivered records, commits, and the assignment of each generation",
      async () => {
        await connected();
        await expect
          .poll(async () => (await broker.committedOffsets(name, name)).get(1), POLL)
          .toBe(1n);
        const [member] = await broker.members(name);
        const history = await broker.protocolHistory();
        const place = { topic: name, partition: 1 };
        expect(history).toContainEqual(
          expect.objectContaining({ type: "generation-formed", group: name, members: [member] }),
        );
        expect(history).toContainEqual(
          expect.objectContaining({
            ...place,
            type: "records-fetched",
            clientId: "pod",
            offset: 0n,
            nextOffset: 1n,
          }),
        );
        expect(history).toContainEqual(
          expect.objectContaining({
            ...place,
            type: "offset-committed",
            group: name,
            memberId: member?.memberId,
            clientId: "pod",
            offset: 1n,
            error: null,
          }),
        );
        await consumer.disconnect();
        const after = (await broker.protocolHistory()).slice(history.length);
        expect(after).toContainEqual(
          expect.objectContaining({ type: "generation-formed", group: name, members: [] }),
        );
      },
    );

    test.skipIf(without("broker-requests"))(
      "reports the requests of clients, on request and while they happen",
      async () => {
        const activities: ClientActivity[] = [];
        const end = broker.subscribe((activity) => void activities.push(activity));
        await expect(client(running, "wrong").admin().connect()).rejects.toThrow(
          "SASL SCRAM SHA512",
        );
        const activity = await broker.clientActivity();
        expect(activity.map(({ what }) => what)).toEqual(
          expect.arrayContaining(["authenticated", "JoinGroup", "authentication-failed"]),
        );
        expect(activity.every(({ node }) => node === 1 || node === 2)).toBe(true);
        await expect
          .poll(() => activities.map(({ what }) => what), POLL)
          .toContain("authentication-failed");
        end();
      },
    );
  });
}

function client({ broker, user, authorityPem }: ContractSubject, password = user.password): Kafka {
  return new Kafka({
    brokers: [...broker.bootstrap],
    clientId: "pod",
    logLevel: logLevel.NOTHING,
    ssl: { ca: [authorityPem] },
    sasl: { mechanism: "scram-sha-512", username: user.username, password },
    retry: { initialRetryTime: 5, maxRetryTime: 100, retries: 20 },
  });
}

async function consume(
  subject: ContractSubject,
  name: string,
  seen: Set<string>,
): Promise<Consumer> {
  const consumer = client(subject).consumer({
    groupId: name,
    sessionTimeout: 3000,
    heartbeatInterval: 30,
    maxWaitTimeInMs: 30,
    // kafkajs asks for the coordinator again only after it has given up the dead one.
    retry: { initialRetryTime: 5, maxRetryTime: 100, retries: 5 },
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [name], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.add(String(message.value)) });
  await expect
    .poll(async () => {
      const members = await subject.broker.members(name);
      return members.map(({ partitions }) => partitions.length);
    }, POLL)
    .toEqual([2]);
  return consumer;
}
