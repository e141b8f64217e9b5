import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  commitAll,
  committed,
  createKafkaHarness,
  CREDENTIALS,
  GROUP,
  joined,
  produce,
  TOPIC,
  until,
  valuesOf,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness } from "#simulator/kafka/testing/kafka-harness.ts";

import { hasCode } from "#consumer/errors.ts";

let harness: KafkaHarness;

beforeEach(async () => {
  harness = await createKafkaHarness();
});

afterEach(() => harness[Symbol.asyncDispose]());

describe("kafka adapter under faults", () => {
  test("rejects a wrong password as such, and asks again for the next session", async () => {
    const cluster = await harness.startCluster();
    const wrong = harness.startBroker(cluster, commitAll, {
      credentials: async () => ({ ...CREDENTIALS, password: "battery staple" }),
    });
    const failure = await wrong.consuming;
    expect(hasCode(failure, "broker-authentication")).toBe(true);
    expect(wrong.broker.state).toMatchObject({ ready: false });
    expect(String(failure)).not.toContain("battery staple");
    expect(wrong.lines.join("\n")).not.toContain("battery staple");
    await wrong.broker.stop();
    await joined(harness.startBroker(cluster, commitAll));
  });

  test("maps a denied group and an unreachable broker to their codes", async () => {
    const cluster = await harness.startCluster();
    const denied = cluster.faults.add({
      api: "JoinGroup",
      action: { type: "error", error: "GROUP_AUTHORIZATION_FAILED" },
    });
    const refused = harness.startBroker(cluster, commitAll);
    expect(hasCode(await refused.consuming, "broker-denied")).toBe(true);
    expect(denied.hits).toBeGreaterThan(0);
    const nowhere = harness.startBroker(cluster, commitAll, {
      kafka: { brokers: ["127.0.0.1:1"] },
    });
    const failure = await nowhere.consuming;
    expect(hasCode(failure, "broker-unavailable")).toBe(true);
    expect(String(failure)).toContain("127.0.0.1:1");
  });

  test("reads on from the earliest record when its offset is gone, without committing a placeholder", async () => {
    const cluster = await harness.startCluster();
    const seen: string[] = [];
    const first = harness.startBroker(cluster, async (batch) => {
      seen.push(...valuesOf(batch));
      await commitAll(batch);
    });
    await joined(first);
    await produce(first, "a");
    await until(() => committed(cluster) === 1n, "a committed");
    await first.broker.stop();
    const writer = harness.startBroker(cluster, commitAll, { kafka: { groupId: "writer" } });
    await produce(writer, "b", "c", "d");
    cluster.topic(TOPIC).deleteRecordsBefore(0, 3n);
    const offsets = new Set<bigint | undefined>();
    const second = harness.startBroker(cluster, async (batch) => {
      offsets.add(committed(cluster));
      seen.push(...valuesOf(batch));
      await commitAll(batch);
    });
    await until(() => committed(cluster) === 4n, "d committed");
    expect(seen).toStrictEqual(["a", "d"]);
    expect([...offsets]).toStrictEqual([1n]);
    expect(second.lines.join("\n")).toContain("Offset out of range: reading on from the earliest");
  });

  test("rides out a broker that is away for a moment", async () => {
    const cluster = await harness.startCluster();
    const started = harness.startBroker(cluster, commitAll);
    await joined(started);
    await cluster.node(1).kill();
    await cluster.node(1).start();
    await produce(started, "after");
    await until(() => committed(cluster) === 1n, "committed");
    expect(started.broker.state).toStrictEqual({ ready: true });
  });

  test("stops at once while kafkajs tries to reach a broker that is gone", async () => {
    const cluster = await harness.startCluster();
    const started = harness.startBroker(cluster, commitAll);
    await joined(started);
    await cluster.node(1).kill();
    await until(() => started.lines.some((line) => line.includes("ECONNREFUSED")), "retrying");
    const beginMs = performance.now();
    await started.broker.stop();
    expect(performance.now() - beginMs).toBeLessThan(3500);
    expect(await started.consuming).toBe("ended");
    expect(started.broker.state.ready).toBe(false);
  });

  test("stops while its request to join is held back, without joining afterwards", async () => {
    const cluster = await harness.startCluster();
    using held = cluster.faults.add({
      api: "JoinGroup",
      skip: 1,
      action: { type: "barrier" },
    });
    const started = harness.startBroker(cluster, commitAll);
    await held.arrived;
    await started.broker.stop();
    held.release();
    expect(await started.consuming).toBe("ended");
    await started.broker.stop();
    expect(started.broker.state.ready).toBe(false);
  });

  test("asks for the password again after it was rotated, and goes on as the same member", async () => {
    const cluster = await harness.startCluster();
    let password = CREDENTIALS.password;
    let asked = 0;
    const started = harness.startBroker(cluster, commitAll, {
      credentials: async () => {
        asked += 1;
        return { ...CREDENTIALS, password };
      },
    });
    await joined(started);
    expect(asked).toBe(1);
    const [member] = cluster.group(GROUP).members;
    password = "battery staple";
    cluster.users.set(CREDENTIALS.username, password);
    await cluster.node(1).kill();
    await cluster.node(1).start();
    await produce(started, "after");
    await until(() => committed(cluster) === 1n, "committed");
    expect(asked).toBe(2);
    expect(cluster.group(GROUP).members.map(({ memberId }) => memberId)).toStrictEqual([
      member?.memberId,
    ]);
  });

  test("goes on at another node when a leader dies", async () => {
    const cluster = await harness.startCluster({ nodes: 3, partitions: 3 });
    const seen: string[] = [];
    const started = harness.startBroker(cluster, async (batch) => {
      seen.push(...valuesOf(batch));
      await commitAll(batch);
    });
    await joined(started);
    await produce(started, "before");
    await until(() => seen.includes("before"), "before");
    await cluster.node(cluster.topic(TOPIC).leader(0)).kill();
    for (let index = 0; !seen.includes("after-9"); index += 1) {
      await produce(started, `after-${String(index)}`);
    }
    expect(started.broker.state.ready).toBe(true);
  });

  test("retries a commit that found no coordinator, under the same assignment", async () => {
    const cluster = await harness.startCluster();
    using fault = cluster.faults.add({
      api: "OffsetCommit",
      times: 2,
      action: { type: "error", error: "COORDINATOR_LOAD_IN_PROGRESS" },
    });
    let handled = 0;
    const started = harness.startBroker(cluster, async (batch) => {
      await commitAll(batch);
      handled += 1;
    });
    await joined(started);
    await produce(started, "one");
    await until(() => committed(cluster) === 1n, "committed");
    expect(fault.hits).toBe(2);
    await until(() => handled === 1, "handled once");
  });

  test("takes a commit whose answer was lost for what it is: unknown, and tried again", async () => {
    const cluster = await harness.startCluster();
    using fault = cluster.faults.add({
      api: "OffsetCommit",
      direction: "reply",
      times: 1,
      action: { type: "drop" },
    });
    const started = harness.startBroker(cluster, commitAll);
    await joined(started);
    await produce(started, "one", "two");
    await until(() => committed(cluster) === 2n, "committed");
    expect(fault.hits).toBe(1);
  });
});
