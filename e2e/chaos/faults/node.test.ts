import type { V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import type { Eviction } from "#e2e/targets/cluster-access.ts";
import type { Target } from "#e2e/targets/target.ts";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import { drainNodeOfPod } from "./node/drain.ts";
import { pauseNodeOfPod } from "./node/pause.ts";
import { evictPod } from "./pod/evict.ts";
import { exhaustPod } from "./pod/out-of-memory.ts";

const signal = new AbortController().signal;

test(
  "node.drain evicts every pod of the node, again while a budget refuses, and uncordons it when it " +
    "is healed",
  async () => {
    const cluster = fakeCluster([pod("a", "n1"), pod("b", "n1"), pod("c", "n2")]);
    cluster.refusals.set("b", 1);
    const fault = await drainNodeOfPod(cluster.deployment, "a", signal);
    await expect.poll(() => fault.fired(), { timeout: 5000 }).toBe("n1: evicted a, b");
    expect(cluster.asked.filter((name) => name === "b").length).toBe(2);
    expect(cluster.asked).not.toContain("c");
    expect([...cluster.cordoned]).toEqual(["n1"]);
    await fault.heal();
    expect([...cluster.cordoned]).toEqual([]);
  },
);

test("node.drain that a budget refuses for as long as it lasts has not fired, and its healing ends it", async () => {
  const cluster = fakeCluster([pod("a", "n1")]);
  cluster.refusals.set("a", Number.POSITIVE_INFINITY);
  const fault = await drainNodeOfPod(cluster.deployment, "a", signal);
  await expect.poll(() => cluster.asked.length).toBeGreaterThan(0);
  await fault.heal();
  const asked = cluster.asked.length;
  expect(await fault.fired()).toBeUndefined();
  expect([...cluster.cordoned]).toEqual([]);
  expect(cluster.asked.length).toBe(asked);
});

test.each([
  { answers: false, fired: "n1 is paused: a answered nothing for 1000 ms" },
  { answers: true, fired: undefined },
])(
  "node.pause is proved by the silence of the pod: answers $answers",
  async ({ answers, fired }) => {
    const cluster = fakeCluster([pod("a", "n1")]);
    cluster.answers = answers;
    const fault = await pauseNodeOfPod(cluster.deployment, "a", signal);
    expect([...cluster.paused]).toEqual(["n1"]);
    expect(await fault.fired()).toBe(fired);
    await fault.heal();
    expect([...cluster.paused]).toEqual([]);
  },
);

test("a node that is paused or cordoned is so by one fault at a time", async () => {
  const cluster = fakeCluster([pod("a", "n1")]);
  const paused = await pauseNodeOfPod(cluster.deployment, "a", signal);
  await expect(pauseNodeOfPod(cluster.deployment, "a", signal)).rejects.toThrow(
    FaultImpossibleError,
  );
  const drained = await drainNodeOfPod(cluster.deployment, "a", signal);
  await expect(drainNodeOfPod(cluster.deployment, "a", signal)).rejects.toThrow(
    "another fault acts on node n1, which is cordoned",
  );
  await paused.heal();
  expect([[...cluster.paused], [...cluster.cordoned]]).toEqual([[], ["n1"]]);
  await drained.heal();
  await using again = await pauseNodeOfPod(cluster.deployment, "a", signal);
  expect([[...cluster.paused], [...cluster.cordoned]]).toEqual([["n1"], []]);
  await again.heal();
});

test("a pause that is interrupted lets the node go on", async () => {
  const cluster = fakeCluster([pod("a", "n1")]);
  const interrupt = new AbortController();
  const pausing = pauseNodeOfPod(cluster.deployment, "a", interrupt.signal);
  await expect.poll(() => [...cluster.paused]).toEqual(["n1"]);
  interrupt.abort(new Error("interrupted"));
  await expect(pausing).rejects.toThrow("interrupted");
  expect([...cluster.paused]).toEqual([]);
});

test("a pod that is on no node makes the faults of a node impossible", async () => {
  const cluster = fakeCluster([pod("a")]);
  await expect(drainNodeOfPod(cluster.deployment, "a", signal)).rejects.toThrow(
    new FaultImpossibleError("node.drain: pod a is on no node"),
  );
  await expect(pauseNodeOfPod(cluster.deployment, "gone", signal)).rejects.toThrow(
    "node.pause: pod gone is on no node",
  );
});

test("pod.evict is proved by the condition of the pod, and impossible when its budget refuses", async () => {
  const cluster = fakeCluster([pod("a", "n1"), pod("b", "n1")]);
  cluster.refusals.set("b", 1);
  const fault = await evictPod(cluster.deployment, "a");
  expect(await fault.fired()).toBe("EvictionByEvictionAPI");
  await expect(evictPod(cluster.deployment, "b")).rejects.toThrow(
    "pod.evict: refused with 429: no room",
  );
  await expect(evictPod(cluster.deployment, "a")).rejects.toThrow("gone or terminates already");
});

test("pod.out-of-memory is proved by an OOMKilled of this run or a later one, not of an earlier one", async () => {
  const cluster = fakeCluster([killedBefore("a", 1)]);
  const fault = await exhaustPod(cluster.deployment, "a");
  expect(await fault.fired()).toBeUndefined();
  cluster.pods[0] = killedBefore("a", 2);
  expect(await fault.fired()).toBe("OOMKilled, exit code 137");
});

function pod(name: string, node?: string): V1Pod {
  return {
    metadata: { name },
    spec: { containers: [], ...(node !== undefined && { nodeName: node }) },
  };
}

/** Returns a pod whose app runs after its container was killed for its memory. */
function killedBefore(name: string, restartCount: number): V1Pod {
  const status = {
    name: "app",
    image: "",
    imageID: "",
    ready: true,
    restartCount,
    state: { running: {} },
    lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
  };
  return { metadata: { name }, status: { containerStatuses: [status] } };
}

function evicted(name: string, node = ""): V1Pod {
  return {
    metadata: { name, deletionTimestamp: new Date(0) },
    spec: { containers: [], nodeName: node },
    status: {
      conditions: [{ type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" }],
    },
  };
}

/** Returns a cluster in memory, in which an accepted eviction shows at the pod at once. */
function fakeCluster(pods: V1Pod[]) {
  const asked: string[] = [];
  const refusals = new Map<string, number>();
  const cordoned = new Set<string>();
  const paused = new Set<string>();
  const evict = async (name: string): Promise<Eviction> => {
    asked.push(name);
    const left = refusals.get(name) ?? 0;
    refusals.set(name, left - 1);
    if (left > 0) return { status: 429, message: "no room" };
    const index = pods.findIndex(({ metadata }) => metadata?.name === name);
    pods[index] = evicted(name, pods[index]?.spec?.nodeName);
    return { status: 201, message: "" };
  };
  const cluster = { pods, cordoned, paused, asked, refusals, answers: false };
  const target = {
    cluster: {
      cordon: (node: string) => added(cordoned, node),
      pauseNode: (node: string) => added(paused, node),
      evict,
    },
    pods: async () => [...pods],
    lastSeen: (name: string) => pods.find(({ metadata }) => metadata?.name === name),
    exec: async () => ({ exitCode: 0, stdout: "", stderr: "" }),
  };
  const deployment = {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what these faults use of it
    target: target as unknown as Target,
    readiness: async () => (cluster.answers ? { status: 200, body: "" } : null),
  };
  return Object.assign(cluster, { deployment });
}

async function added(set: Set<string>, value: string): Promise<AsyncDisposable> {
  set.add(value);
  return { [Symbol.asyncDispose]: async () => void set.delete(value) };
}
