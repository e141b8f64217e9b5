import type { KubernetesObject, V1Pod, V1PodDisruptionBudget } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import {
  container,
  deployment,
  ENTRY,
  isReady,
  lifecycle,
  secondsBetween,
  startTestCluster,
} from "#simulator/kubelet/testing/cluster-fixture.ts";
import type { LocalCluster } from "#simulator/kubelet/types.ts";

const READY_AFTER = {
  containers: [
    container("a", {
      command: ENTRY.sh("trap 'exit 0' TERM; sleep 0.2; touch ready; sleep 1000 & wait"),
      lifecycle: { preStop: { exec: { command: ["sleep", "0.6"] } } },
      readinessProbe: {
        exec: { command: ["test", "-e", "ready"] },
        periodSeconds: 1,
        timeoutSeconds: 5,
      },
    }),
  ],
};

function terminating(object: V1Pod): boolean {
  return object.metadata?.deletionTimestamp !== undefined;
}

async function untilReplicas(cluster: LocalCluster, count: number): Promise<V1Pod[]> {
  return cluster.waitFor(
    () => {
      const pods = cluster.pods();
      return (
        pods.length === count &&
        pods.every((object) => isReady(object) && !terminating(object)) &&
        pods
      );
    },
    { description: `${count} ready replicas and nothing else` },
  );
}

test("rolling update of 2 replicas: one new pod at a time, up to four pods, terminating ones still Ready", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([deployment("d", 2, READY_AFTER)]);
  const old = new Set((await untilReplicas(cluster, 2)).map(({ metadata }) => metadata?.name));
  let readyMin = 2;
  let podsMax = 0;
  let activeMax = 0;
  let terminatingReadyMax = 0;
  cluster.subscribe(() => {
    const pods = cluster.pods();
    const active = pods.filter((object) => !terminating(object));
    podsMax = Math.max(podsMax, pods.length);
    activeMax = Math.max(activeMax, active.length);
    readyMin = Math.min(readyMin, active.filter(isReady).length);
    terminatingReadyMax = Math.max(
      terminatingReadyMax,
      pods.filter((object) => terminating(object) && isReady(object)).length,
    );
  });
  await cluster.rolloutRestart("d");
  const fresh = await cluster.waitFor(() => {
    const pods = cluster.pods();
    return (
      pods.length === 2 &&
      pods.every((object) => !old.has(object.metadata?.name) && isReady(object)) &&
      pods
    );
  });
  // A surge of 25 % of 2 rounds up to 1, and the unavailable 25 % round down to 0.
  expect({ activeMax, readyMin, podsMax, terminatingReadyMax }).toEqual({
    activeMax: 3,
    readyMin: 2,
    podsMax: 4,
    terminatingReadyMax: 2,
  });
  const hashes = new Set(fresh.map(({ metadata }) => metadata?.labels?.["pod-template-hash"]));
  expect(hashes.size).toBe(1);
  // The first old pod is told to stop and the second new one is created in the same moment.
  const created = lifecycle(cluster, { name: "pod-created" });
  const [firstDeletion] = lifecycle(cluster, { name: "deletion-requested" });
  const second = created[3];
  expect(Math.abs((second?.monotonicMs ?? 0) - (firstDeletion?.monotonicMs ?? 0))).toBeLessThan(
    500,
  );
  expect(cluster.deployment("d")?.status).toMatchObject({
    replicas: 2,
    updatedReplicas: 2,
    availableReplicas: 2,
  });
});

test("a deleted pod is replaced at once, without waiting for its end", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([deployment("d", 1, READY_AFTER)]);
  const [first] = await untilReplicas(cluster, 1);
  const name = first?.metadata?.name ?? "";
  await cluster.deletePod(name);
  await cluster.waitFor(() => cluster.pods().length === 2);
  expect(lifecycle(cluster, { name: "exit", pod: name })).toEqual([]);
  const [fresh] = await untilReplicas(cluster, 1);
  expect(fresh?.metadata?.name).not.toBe(name);
});

test("scaled from two to one to zero and back: surplus pods end gracefully", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([deployment("d", 2, READY_AFTER)]);
  await untilReplicas(cluster, 2);
  await cluster.scale("d", 1);
  expect(cluster.pods().filter(terminating)).toHaveLength(1);
  await untilReplicas(cluster, 1);
  await cluster.scale("d", 0);
  await untilReplicas(cluster, 0);
  await cluster.scale("d", 2);
  await untilReplicas(cluster, 2);
  expect(lifecycle(cluster, { name: "signal", signal: "SIGKILL" })).toEqual([]);
});

test("minReadySeconds: the next step waits until the new pod has been Ready that long", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([deployment("d", 1, {}, { minReadySeconds: 4 })]);
  await cluster.waitFor(() => cluster.deployment("d")?.status?.availableReplicas === 1);
  await cluster.rolloutRestart("d");
  await cluster.waitFor(() => lifecycle(cluster, { name: "deletion-requested" }).length === 1);
  const ready = lifecycle(cluster, { name: "ready" })[1]?.pod ?? "";
  expect(
    secondsBetween(cluster, { name: "ready", pod: ready }, { name: "deletion-requested" }),
  ).toBeGreaterThanOrEqual(4);
});

test("Recreate: no new pod before the last old process has ended", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([deployment("d", 1, READY_AFTER, { strategy: { type: "Recreate" } })]);
  await untilReplicas(cluster, 1);
  await cluster.rolloutRestart("d");
  await cluster.waitFor(() => lifecycle(cluster, { name: "pod-created" }).length === 2);
  expect(
    secondsBetween(
      cluster,
      { name: "exit" },
      { name: "pod-created", pod: cluster.pods()[0]?.metadata?.name ?? "" },
    ),
  ).toBeGreaterThanOrEqual(0);
});

test("eviction without room: 429 TooManyRequests with the budget as its cause, the pod untouched", async () => {
  await using cluster = await startTestCluster();
  const budget: V1PodDisruptionBudget & KubernetesObject = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "one" },
    spec: { minAvailable: 1, selector: { matchLabels: { app: "d" } } },
  };
  await cluster.apply([deployment("d", 1, {}), budget]);
  const [first] = await untilReplicas(cluster, 1);
  const name = first?.metadata?.name ?? "";
  expect(await cluster.evict(name)).toMatchObject({
    kind: "Status",
    status: "Failure",
    code: 429,
    reason: "TooManyRequests",
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [
        {
          reason: "DisruptionBudget",
          message: "The disruption budget one needs 1 healthy pods and has 1 currently",
        },
      ],
    },
  });
  expect(cluster.pod(name)?.metadata?.deletionTimestamp).toBeUndefined();
  await cluster.scale("d", 2);
  await untilReplicas(cluster, 2);
  expect(await cluster.evict(name)).toMatchObject({ code: 201, status: "Success" });
  expect(cluster.pod(name)?.metadata?.deletionTimestamp).toBeDefined();
});
