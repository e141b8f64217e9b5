import type { KubernetesObject, V1ConfigMap } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import {
  container,
  ENTRY,
  isReady,
  lifecycle,
  pod,
  reasons,
  secondsBetween,
  startTestCluster,
  statusOf,
  untilGone,
  untilPrinted,
  untilReady,
  watchPod,
} from "#simulator/kubelet/testing/cluster-fixture.ts";

// The rows of the table "Starting and restarting", measured on Kubernetes 1.34. Seconds are the
// cluster's.

const EMPTY_DIRECTORY = {
  volumes: [{ name: "scratch", emptyDir: {} }],
};
function configMap(text: string): V1ConfigMap & KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings" },
    data: { "config.yaml": text },
  };
}

const SCRATCH = [{ name: "scratch", mountPath: "/scratch" }];

test("order: s1, its startup probe, the plain init container to its end, s2, then main", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      ...EMPTY_DIRECTORY,
      initContainers: [
        container("s1", {
          restartPolicy: "Always",
          volumeMounts: SCRATCH,
          command: ENTRY.sh("sleep 0.15; touch /scratch/up; trap 'exit 0' TERM; sleep 1000 & wait"),
          startupProbe: {
            exec: { command: ["test", "-e", "/scratch/up"] },
            periodSeconds: 1,
            timeoutSeconds: 5,
            failureThreshold: 100,
          },
        }),
        container("plain", {
          volumeMounts: SCRATCH,
          command: ENTRY.sh("test -e /scratch/up && echo after-s1; sleep 0.1"),
        }),
        container("s2", { restartPolicy: "Always" }),
      ],
      containers: [container("main")],
    }),
  ]);
  await cluster.waitFor(() => statusOf(cluster.pod("p"), "plain")?.state?.running);
  expect(cluster.pod("p")?.status?.phase).toBe("Pending");
  expect(statusOf(cluster.pod("p"), "main")?.state?.waiting?.reason).toBe("PodInitializing");
  await untilReady(cluster, "p");
  expect(lifecycle(cluster, { name: "started" }).map((event) => event.container)).toEqual([
    "s1",
    "plain",
    "s2",
    "main",
  ]);
  const s1Passed = { name: "startup-passed", container: "s1" } as const;
  const plainStarted = { name: "started", container: "plain" } as const;
  expect(secondsBetween(cluster, s1Passed, plainStarted)).toBeGreaterThanOrEqual(0);
  const plainEnded = { name: "exit", container: "plain" } as const;
  const s2Started = { name: "started", container: "s2" } as const;
  expect(secondsBetween(cluster, plainEnded, s2Started)).toBeGreaterThanOrEqual(0);
  expect(await cluster.logs("p", "plain")).toBe("after-s1\n");
});

test("restarts of exit 1: at once, then after 10, 20, 40; CrashLoopBackOff, BackOff, phase Running", async () => {
  await using cluster = await startTestCluster({ timing: { secondMs: 10 } });
  await cluster.apply([
    pod("p", { containers: [container("a", { command: ENTRY.sh("echo run; exit 1") })] }),
  ]);
  const name = "p";
  const waiting = await cluster.waitFor(
    () => {
      const status = statusOf(cluster.pod(name), "a");
      return status?.restartCount === 3 && status.state?.waiting;
    },
    { description: "the fourth delay" },
  );
  const uid = cluster.pod(name)?.metadata?.uid;
  expect(waiting).toEqual({
    reason: "CrashLoopBackOff",
    message: `back-off 40s restarting failed container=a pod=p_default(${uid})`,
  });
  expect(statusOf(cluster.pod(name), "a")?.lastState?.terminated).toMatchObject({
    exitCode: 1,
    reason: "Error",
  });
  expect(cluster.pod(name)?.status?.phase).toBe("Running");
  expect(reasons(cluster)).toContain("BackOff");
  const delays = lifecycle(cluster, { name: "backoff" }).map(({ detail }) => detail);
  expect(delays).toEqual(["10s", "20s", "40s"]);
  const starts = lifecycle(cluster, { name: "started" }).map((event) => event.monotonicMs / 10);
  const exits = lifecycle(cluster, { name: "exit" }).map((event) => event.monotonicMs / 10);
  const gaps = starts.slice(1).map((start, index) => start - (exits[index] ?? 0));
  for (const [index, delay] of [0, 10, 20].entries()) {
    expect(gaps[index]).toBeGreaterThanOrEqual(delay);
    expect(gaps[index]).toBeLessThan(delay + 10);
  }
});

test("exit 0 under restartPolicy Always backs off alike", async () => {
  await using cluster = await startTestCluster({ timing: { secondMs: 10 } });
  await cluster.apply([
    pod("p", { containers: [container("a", { command: ENTRY.sh("exit 0") })] }),
  ]);
  await cluster.waitFor(
    () => statusOf(cluster.pod("p"), "a")?.state?.waiting?.reason === "CrashLoopBackOff",
  );
  expect(statusOf(cluster.pod("p"), "a")?.restartCount).toBe(1);
  expect(statusOf(cluster.pod("p"), "a")?.lastState?.terminated?.reason).toBe("Completed");
});

test("restartPolicy Never and OnFailure: no restart after exit 0, and the phase shows it", async () => {
  await using cluster = await startTestCluster({ timing: { secondMs: 10 } });
  await cluster.apply([
    pod("never", {
      restartPolicy: "Never",
      containers: [container("a", { command: ENTRY.sh("exit 3") })],
    }),
    pod("on-failure", {
      restartPolicy: "OnFailure",
      ...EMPTY_DIRECTORY,
      containers: [
        container("a", {
          volumeMounts: SCRATCH,
          command: ENTRY.sh("test -e /scratch/once && exit 0; touch /scratch/once; exit 1"),
        }),
      ],
    }),
  ]);
  await cluster.waitFor(() => cluster.pod("never")?.status?.phase === "Failed");
  await cluster.waitFor(() => cluster.pod("on-failure")?.status?.phase === "Succeeded");
  expect(statusOf(cluster.pod("never"), "a")?.restartCount).toBe(0);
  expect(statusOf(cluster.pod("on-failure"), "a")?.restartCount).toBe(1);
});

test("SIGKILL from the node: 137 Error, first restarted without backoff, and lastState keeps the exit", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([pod("p")]);
  await untilReady(cluster, "p");
  await untilPrinted(cluster, "p", "a", "started");
  await cluster.kill("p", "a", "SIGKILL");
  await cluster.waitFor(() => {
    const status = statusOf(cluster.pod("p"), "a");
    return status?.restartCount === 1 && status.state?.running;
  });
  expect(statusOf(cluster.pod("p"), "a")?.lastState?.terminated).toMatchObject({
    exitCode: 137,
    reason: "Error",
  });
  expect(lifecycle(cluster, { name: "backoff" })).toEqual([]);
  await untilPrinted(cluster, "p", "a", "started");
  expect(await cluster.logs("p", "a", { previous: true })).toBe("started\n");
});

test("emptyDir survives a container restart, the image's directories do not; a replacement has neither", async () => {
  await using cluster = await startTestCluster();
  const object = pod("p", {
    ...EMPTY_DIRECTORY,
    containers: [
      container("a", {
        volumeMounts: SCRATCH,
        command: ENTRY.sh(
          "echo x >> /scratch/counter; echo x >> /work/counter; wc -l < /scratch/counter; wc -l < /work/counter; " +
            "trap 'exit 0' TERM; echo started; sleep 1000 & wait",
        ),
      }),
    ],
  });
  await cluster.apply([object]);
  await untilPrinted(cluster, "p", "a", "started");
  await cluster.kill("p", "a");
  await cluster.waitFor(() => statusOf(cluster.pod("p"), "a")?.restartCount === 1);
  await untilPrinted(cluster, "p", "a", "started");
  expect((await cluster.logs("p", "a")).match(/\d+/g)).toEqual(["2", "1"]);
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  await cluster.apply([object]);
  await untilPrinted(cluster, "p", "a", "started");
  expect((await cluster.logs("p", "a")).match(/\d+/g)).toEqual(["1", "1"]);
});

test("ConfigMap volume: links to ..data, an update is one swap of ..data after the sync period", async () => {
  await using cluster = await startTestCluster({ timing: { configMapSyncMs: 3000 } });
  await cluster.apply([
    pod("p", {
      volumes: [{ name: "config", configMap: { name: "settings" } }],
      containers: [
        container("a", { volumeMounts: [{ name: "config", mountPath: "/app/config" }] }),
      ],
    }),
  ]);
  // The pod waits for its ConfigMap.
  await cluster.waitFor(() => reasons(cluster).includes("FailedMount"));
  expect(statusOf(cluster.pod("p"), "a")?.state?.waiting?.reason).toBe("ContainerCreating");
  await cluster.apply([configMap("one")]);
  await untilReady(cluster, "p");
  const read = async (command: string): Promise<string> =>
    (await cluster.exec("p", "a", ["sh", "-c", command])).stdout.trim();
  expect(await read("cat /app/config/config.yaml")).toBe("one");
  expect(await read("readlink /app/config/config.yaml")).toBe("..data/config.yaml");
  const before = await read("readlink /app/config/..data");
  expect(before).toMatch(/^\.\.\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}\.\d+$/);
  await cluster.apply([configMap("two")]);
  expect(await read("cat /app/config/config.yaml")).toBe("one");
  await cluster.waitFor(() => lifecycle(cluster, { name: "config-map-updated" }).length > 0);
  expect(await read("cat /app/config/config.yaml")).toBe("two");
  expect(await read("readlink /app/config/..data")).not.toBe(before);
  expect(await read("ls -A /app/config | wc -l")).toBe("3");
});

test("the object has defaults: tolerations 300 s, dnsPolicy, grace 30, qosClass", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      containers: [
        container("a", { resources: { requests: { cpu: "500m" }, limits: { memory: "1Gi" } } }),
      ],
    }),
  ]);
  const object = cluster.pod("p");
  expect(object?.spec).toMatchObject({
    dnsPolicy: "ClusterFirst",
    terminationGracePeriodSeconds: 30,
  });
  expect(object?.spec?.tolerations).toEqual([
    expect.objectContaining({ key: "node.kubernetes.io/not-ready", tolerationSeconds: 300 }),
    expect.objectContaining({ key: "node.kubernetes.io/unreachable", tolerationSeconds: 300 }),
  ]);
  expect(object?.status?.qosClass).toBe("Burstable");
  expect(cluster.deviations()).toEqual(["Pod/p spec.containers[0].resources"]);
});

test("a missing entry point: StartError 128, then backoff", async () => {
  await using cluster = await startTestCluster({ timing: { secondMs: 10 } });
  const seen = watchPod(cluster, "p");
  await cluster.apply([pod("p", { containers: [container("a", { command: ["/work/absent"] })] })]);
  await cluster.waitFor(
    () => statusOf(cluster.pod("p"), "a")?.state?.waiting?.reason === "CrashLoopBackOff",
  );
  expect(statusOf(cluster.pod("p"), "a")?.lastState?.terminated).toMatchObject({
    exitCode: 128,
    reason: "StartError",
  });
  expect(seen.some(isReady)).toBe(false);
});
