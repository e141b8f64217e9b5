import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { podName } from "#e2e/targets/pods.ts";
import { openFaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { FaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { BROKER_FAULTS } from "./broker.ts";

const REPLICAS = 2;
const PARTITIONS = 4;

let bed: FaultTestBed;

beforeAll(async () => {
  bed = await openFaultTestBed({ replicas: REPLICAS, partitions: PARTITIONS, brokerNodes: 3 });
  await bed.deployment.ready();
  await converged();
}, 60_000);

afterAll(async () => await bed?.[Symbol.asyncDispose](), 60_000);

const kindNamed = (name: string) => {
  const kind = BROKER_FAULTS.find((one) => one.name === name);
  if (kind === undefined) throw new Error(`there is no fault ${name}`);
  return kind;
};

async function inject(name: string, given: object = {}, pod?: string): Promise<InjectedFault> {
  const kind = kindNamed(name);
  return await kind.inject(bed.fault(pod), kind.parameters.parse(given));
}

async function proof(fault: InjectedFault): Promise<string> {
  return await bed.deployment.until("the fault fired", () => fault.fired());
}

/** Returns the number of partitions assigned to each pod. */
async function assigned(): Promise<Readonly<Record<string, number>>> {
  const members = await bed.deployment.broker.members(bed.deployment.names.group);
  return Object.fromEntries(members.map((member) => [member.clientId, member.partitions.length]));
}

/** Waits until every pod has its share and an incident of each partition is complete. */
async function converged(): Promise<void> {
  const share = PARTITIONS / REPLICAS;
  await bed.deployment.until(
    "every pod has its share of the partitions",
    async () => {
      const shares = Object.values(await assigned());
      return shares.length === REPLICAS && shares.every((count) => count === share);
    },
    { seen: assigned },
  );
  await publishToEach();
  await bed.deployment.allCommitted();
}

async function publishToEach(): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    await bed.deployment.publish(1, partition);
  }
}

/** Returns the names of two running pods: that of the fault, and another one. */
async function twoPods(): Promise<readonly [string, string]> {
  const [pod, other] = await bed.deployment.ready();
  return [podName(pod!), podName(other!)];
}

// Whatever a fault did, after it is healed nothing has been lost or done twice.
afterEach(async () => {
  await converged();
  await bed.deployment.verify();
}, 60_000);

describe("faults of the nodes of the broker", () => {
  test("broker.leader-moved has another node lead the partition", async () => {
    const { broker, names } = bed.deployment;
    const before = (await broker.leaders(names.topic)).get(1);
    await using fault = await inject("broker.leader-moved", { partition: 1 + PARTITIONS });
    const after = (await broker.leaders(names.topic)).get(1);
    expect(after).not.toBe(before);
    expect(await proof(fault)).toBe(`partition 1 moved from node ${before} to ${after}`);
  }, 60_000);

  test("broker.rebalance forms the group again", async () => {
    const { broker, names } = bed.deployment;
    const before = (await broker.group(names.group)).generation;
    await using fault = await inject("broker.rebalance");
    const event = await proof(fault);
    const [, from, to] = /^generation (\d+) became (\d+)$/.exec(event) ?? [];
    expect(Number(from)).toBe(before);
    expect(Number(to)).toBeGreaterThan(before);
    expect(await fault.fired()).toBe(event);
  }, 60_000);

  test("broker.node-killed leaves the partitions of the node to others until it is healed", async () => {
    const { broker, names } = bed.deployment;
    await using fault = await inject("broker.node-killed", { node: 2 });
    expect(await proof(fault)).toMatch(/^[1-9]\d* connections of node 2 were cut$/);
    expect([...(await broker.leaders(names.topic)).values()]).not.toContain(2);
    await publishToEach();
    await bed.deployment.allCommitted();
    await fault.heal();
    await fault.heal();
    await broker.moveLeader(names.topic, 0, 2);
  }, 60_000);

  test("broker.coordinator-killed has another node coordinate", async () => {
    const { broker, names } = bed.deployment;
    const before = (await broker.group(names.group)).coordinator;
    await using fault = await inject("broker.coordinator-killed");
    expect(await proof(fault)).toMatch(
      new RegExp(`^[1-9]\\d* connections of node ${before} were cut$`),
    );
    expect((await broker.group(names.group)).coordinator).not.toBe(before);
    await publishToEach();
    await bed.deployment.allCommitted();
    await fault.heal();
  }, 60_000);

  test("broker.outage cuts every connection, and what comes meanwhile waits", async () => {
    const before = (await bed.deployment.effects()).length;
    await using fault = await inject("broker.outage");
    expect(await proof(fault)).toMatch(/^[1-9]\d* connections of nodes 1, 2, 3 were cut$/);
    await fault.heal();
    await publishToEach();
    await bed.deployment.allCommitted();
    expect((await bed.deployment.effects()).length).toBe(before + PARTITIONS);
  }, 60_000);
});

describe("faults of the connections of one pod", () => {
  test.each([
    ["broker.pod-cut-off", {}, "connections were cut or refused", false],
    [
      "broker.deaf",
      { applied: false },
      "connections became deaf, and their requests are lost",
      false,
    ],
    [
      "broker.deaf",
      { applied: true },
      "connections became deaf, and their requests are applied",
      true,
    ],
  ] as const)(
    "%s %j leaves all partitions to the other pod until it is healed",
    async (name, given, what, isApplied) => {
      const [pod, other] = await twoPods();
      await using work = await heldWorkOf(pod);
      await using fault = await inject(name, given, pod);
      await work.release();
      expect(await proof(fault)).toMatch(new RegExp(`^[1-9]\\d* ${what}$`));
      await bed.deployment.until(
        "the other pod has every partition",
        async () => {
          const shares = await assigned();
          return Object.keys(shares).length === 1 && shares[other] === PARTITIONS;
        },
        { seen: assigned },
      );
      await publishToEach();
      await bed.deployment.allCommitted();
      expect(await work.isCommittedBy(pod)).toBe(isApplied);
      await fault.heal();
      await fault.heal();
    },
    60_000,
  );
});

interface HeldWork extends AsyncDisposable {
  /** Answers the action, after which the pod commits its record. */
  release(): Promise<void>;
  isCommittedBy(pod: string): Promise<boolean>;
}

/**
 * Publishes an incident of a partition of the pod and holds the reply to its action after the
 * effect.
 */
async function heldWorkOf(pod: string): Promise<HeldWork> {
  const { actions, broker, names } = bed.deployment;
  const members = await broker.members(names.group);
  const { partition } = members.find(({ clientId }) => clientId === pod)!.partitions[0]!;
  const hold = await actions.hold("after-effect", { times: 1 });
  await bed.deployment.publish(1, partition);
  await hold.arrived;
  const next = (await broker.endOffsets(names.topic)).get(partition)!;
  return {
    release: async () => await hold.release(),
    isCommittedBy: async (committer) =>
      (await broker.protocolHistory()).some((event) => {
        if (event.type !== "offset-committed" || event.clientId !== committer) return false;
        return event.partition === partition && event.offset >= next && event.error === null;
      }),
    [Symbol.asyncDispose]: async () => await hold.release(),
  };
}

describe("faults of the exchanges of one pod", () => {
  test.each([
    [
      "broker.applied-then-dropped",
      { api: "OffsetCommit", times: 2 },
      "2 replies to OffsetCommit were dropped",
    ],
    [
      "broker.applied-then-dropped",
      { api: "Heartbeat", times: 1 },
      "1 replies to Heartbeat were dropped",
    ],
    [
      "broker.errors",
      { api: "OffsetCommit", error: "COORDINATOR_LOAD_IN_PROGRESS", times: 2 },
      "2 OffsetCommit requests were answered COORDINATOR_LOAD_IN_PROGRESS",
    ],
    [
      "broker.errors",
      { api: "Fetch", error: "NOT_LEADER_OR_FOLLOWER", times: 1 },
      "1 Fetch requests were answered NOT_LEADER_OR_FOLLOWER",
    ],
    [
      "broker.errors",
      { api: "Heartbeat", error: "UNKNOWN_MEMBER_ID", times: 1 },
      "1 Heartbeat requests were answered UNKNOWN_MEMBER_ID",
    ],
  ] as const)(
    "%s %j fires as often as it says",
    async (name, given, what) => {
      const [pod] = await twoPods();
      await using fault = await inject(name, given, pod);
      await bed.deployment.until("it has fired as often as it says", async () => {
        await publishToEach();
        return (await fault.fired()) === what;
      });
      await bed.deployment.allCommitted();
      expect(await fault.fired()).toBe(what);
      await fault.heal();
      expect(await fault.fired()).toBe(what);
    },
    60_000,
  );

  test("broker.delayed holds every request of its kind back until it is healed", async () => {
    const [pod] = await twoPods();
    await using fault = await inject("broker.delayed", { api: "OffsetCommit", delayMs: 300 }, pod);
    await publishToEach();
    await bed.deployment.allCommitted();
    expect(await proof(fault)).toMatch(/^[1-9]\d* OffsetCommit requests waited 300 ms$/);
    await fault.heal();
    const event = await fault.fired();
    await converged();
    expect(await fault.fired()).toBe(event);
  }, 60_000);

  test.each([
    ["broker.pod-cut-off", {}],
    ["broker.deaf", { applied: true }],
    ["broker.errors", { api: "Fetch", error: "NOT_LEADER_OR_FOLLOWER", times: 1 }],
  ])("%s of a pod that is not there has not fired, and touches no other", async (name, given) => {
    await using fault = await inject(name, given, "no-such-pod");
    await publishToEach();
    await bed.deployment.allCommitted();
    await fault.heal();
    expect(await fault.fired()).toBeUndefined();
  });
});
