import { expect, test } from "vitest";
import {
  container,
  deployment,
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

// The rows of the table "Stopping", measured on Kubernetes 1.34. Seconds are the cluster's.

const DELETED = { name: "deletion-requested" } as const;
const TERM = { name: "signal", signal: "SIGTERM" } as const;
const KILL = { name: "signal", signal: "SIGKILL" } as const;
/**
 * The delay that starting a process and a busy host may add after a deadline: half a second of the
 * host. Nothing may come before a deadline.
 */
const LATE = 5;

function preStop(script: string): { preStop: { exec: { command: string[] } } } {
  return { preStop: { exec: { command: ENTRY.sh(script) } } };
}

test("grace 4, preStop 30: SIGTERM after 4, SIGKILL 2 later, 137 Error, Failed, FailedPreStopHook", async () => {
  await using cluster = await startTestCluster();
  const seen = watchPod(cluster, "p");
  await cluster.apply([
    pod("p", {
      terminationGracePeriodSeconds: 4,
      containers: [
        container("a", { command: ENTRY.ignoresTerm, lifecycle: preStop("sleep 1000") }),
      ],
    }),
  ]);
  await untilReady(cluster, "p");
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  expect(secondsBetween(cluster, DELETED, { name: "pre-stop-started" })).toBeLessThan(LATE);
  expect(secondsBetween(cluster, DELETED, TERM)).toBeGreaterThanOrEqual(4);
  expect(secondsBetween(cluster, DELETED, TERM)).toBeLessThan(4 + LATE);
  expect(secondsBetween(cluster, TERM, KILL)).toBeGreaterThanOrEqual(1.99);
  expect(secondsBetween(cluster, TERM, KILL)).toBeLessThan(2 + LATE);
  const last = seen.at(-1);
  expect(statusOf(last, "a")?.state?.terminated).toMatchObject({
    exitCode: 137,
    reason: "Error",
  });
  expect(last?.status?.phase).toBe("Failed");
  expect(reasons(cluster)).toContain("FailedPreStopHook");
});

test("grace 6, preStop 3, SIGTERM ignored: SIGTERM after preStop, SIGKILL after the rest of the grace", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      terminationGracePeriodSeconds: 6,
      containers: [container("a", { command: ENTRY.ignoresTerm, lifecycle: preStop("sleep 0.3") })],
    }),
  ]);
  await untilReady(cluster, "p");
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  expect(secondsBetween(cluster, DELETED, TERM)).toBeGreaterThanOrEqual(3);
  // Whole seconds are counted, so that a hook on a busy host costs no less.
  const hook = secondsBetween(cluster, { name: "pre-stop-started" }, { name: "pre-stop-ended" });
  const rest = Math.max(2, 6 - Math.floor(hook));
  expect(secondsBetween(cluster, { name: "pre-stop-ended" }, TERM)).toBeLessThan(LATE);
  expect(secondsBetween(cluster, TERM, KILL)).toBeGreaterThanOrEqual(rest - 0.05);
  expect(secondsBetween(cluster, TERM, KILL)).toBeLessThan(rest + LATE);
  expect(reasons(cluster)).not.toContain("FailedPreStopHook");
});

test("grace 10, preStop 1 s, process exits 0 on SIGTERM: 0 Completed, Succeeded, object gone", async () => {
  await using cluster = await startTestCluster();
  const seen = watchPod(cluster, "p");
  await cluster.apply([
    pod("p", {
      terminationGracePeriodSeconds: 10,
      containers: [container("a", { lifecycle: preStop("sleep 0.1") })],
    }),
  ]);
  await untilReady(cluster, "p");
  await untilPrinted(cluster, "p", "a", "started");
  const before = Date.now();
  await cluster.deletePod("p");
  const deleted = cluster.pod("p");
  expect(deleted?.metadata?.deletionGracePeriodSeconds).toBe(10);
  expect(deleted?.metadata?.deletionTimestamp?.getTime()).toBeGreaterThanOrEqual(before + 1000);
  await untilGone(cluster, "p");
  expect(secondsBetween(cluster, DELETED, TERM)).toBeGreaterThanOrEqual(1);
  expect(secondsBetween(cluster, DELETED, TERM)).toBeLessThan(1 + LATE);
  const last = seen.at(-1);
  expect(statusOf(last, "a")?.state?.terminated).toMatchObject({
    exitCode: 0,
    reason: "Completed",
  });
  expect(last?.status?.phase).toBe("Succeeded");
  expect(lifecycle(cluster, KILL)).toEqual([]);
});

test("preStop exits 3: FailedPreStopHook, SIGTERM follows at once", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      terminationGracePeriodSeconds: 20,
      containers: [container("a", { lifecycle: preStop("exit 3") })],
    }),
  ]);
  await untilReady(cluster, "p");
  await untilPrinted(cluster, "p", "a", "started");
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  expect(cluster.events()).toContainEqual(
    expect.objectContaining({ reason: "FailedPreStopHook", message: "PreStopHook failed" }),
  );
  expect(secondsBetween(cluster, { name: "pre-stop-ended" }, TERM)).toBeLessThan(LATE);
});

test("sleep as PID 1, grace 3: SIGTERM has no effect, SIGKILL at 3, 137, Failed", async () => {
  await using cluster = await startTestCluster();
  const seen = watchPod(cluster, "p");
  await cluster.apply([
    pod("p", {
      terminationGracePeriodSeconds: 3,
      containers: [container("a", { command: ENTRY.sleeps })],
    }),
  ]);
  await untilReady(cluster, "p");
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  expect(lifecycle(cluster, { name: "signal-withheld", signal: "SIGTERM" })).toHaveLength(1);
  expect(secondsBetween(cluster, DELETED, KILL)).toBeGreaterThanOrEqual(2.99);
  expect(secondsBetween(cluster, DELETED, KILL)).toBeLessThan(3 + LATE);
  expect(statusOf(seen.at(-1), "a")?.state?.terminated?.exitCode).toBe(137);
  expect(seen.at(-1)?.status?.phase).toBe("Failed");
});

test("handler exits 7: terminated 7 Error, Failed, though the other container ended with 0", async () => {
  await using cluster = await startTestCluster();
  const seen = watchPod(cluster, "p");
  await cluster.apply([
    pod("p", { containers: [container("a", { command: ENTRY.endsOnTerm(7) }), container("b")] }),
  ]);
  await untilReady(cluster, "p");
  await untilPrinted(cluster, "p", "a", "started");
  await untilPrinted(cluster, "p", "b", "started");
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  expect(statusOf(seen.at(-1), "a")?.state?.terminated).toMatchObject({
    exitCode: 7,
    reason: "Error",
  });
  expect(statusOf(seen.at(-1), "b")?.state?.terminated?.exitCode).toBe(0);
  expect(seen.at(-1)?.status?.phase).toBe("Failed");
});

test("two containers, a has a 2 s preStop: b gets SIGTERM while a is still in preStop", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      containers: [container("a", { lifecycle: preStop("sleep 0.2") }), container("b")],
    }),
  ]);
  await untilReady(cluster, "p");
  await untilPrinted(cluster, "p", "a", "started");
  await untilPrinted(cluster, "p", "b", "started");
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  const hookEnded = { name: "pre-stop-ended", container: "a" } as const;
  expect(secondsBetween(cluster, { ...TERM, container: "b" }, hookEnded)).toBeGreaterThan(0);
  expect(secondsBetween(cluster, DELETED, { ...TERM, container: "a" })).toBeGreaterThanOrEqual(2);
  expect(reasons(cluster).filter((reason) => reason === "Killing")).toHaveLength(2);
  expect(cluster.events()).toContainEqual(
    expect.objectContaining({ reason: "Killing", message: "Stopping container a" }),
  );
});

test("sidecars s1 and s2, preStop main 2 s, s2 1 s: preStops start at once, SIGTERM main, s2, s1", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      initContainers: [
        container("s1", { restartPolicy: "Always" }),
        container("s2", { restartPolicy: "Always", lifecycle: preStop("sleep 0.1") }),
      ],
      containers: [container("main", { lifecycle: preStop("sleep 0.2") })],
    }),
  ]);
  await untilReady(cluster, "p");
  for (const name of ["s1", "s2", "main"]) {
    await untilPrinted(cluster, "p", name, "started");
  }
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  for (const name of ["main", "s2"]) {
    const began = { name: "pre-stop-started", container: name } as const;
    expect(secondsBetween(cluster, began, { name: "pre-stop-ended" })).toBeGreaterThan(0);
  }
  expect(lifecycle(cluster, TERM).map((event) => event.container)).toEqual(["main", "s2", "s1"]);
  expect(secondsBetween(cluster, DELETED, TERM)).toBeGreaterThanOrEqual(2);
  for (const [earlier, later] of [
    ["main", "s2"],
    ["s2", "s1"],
  ] as const) {
    const exit = { name: "exit", container: earlier } as const;
    expect(secondsBetween(cluster, exit, { ...TERM, container: later })).toBeGreaterThanOrEqual(0);
  }
});

test("a container that ended by itself gets no preStop", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      restartPolicy: "Never",
      containers: [
        container("a", { command: ENTRY.sh("exit 0"), lifecycle: preStop("true") }),
        container("b"),
      ],
    }),
  ]);
  await cluster.waitFor(() => statusOf(cluster.pod("p"), "a")?.state?.terminated);
  await untilPrinted(cluster, "p", "b", "started");
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  expect(lifecycle(cluster, { name: "pre-stop-started" })).toEqual([]);
  expect(lifecycle(cluster, { ...TERM, container: "a" })).toEqual([]);
});

test("while terminating: readiness goes on and the pod stays Ready, liveness stops at once", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      terminationGracePeriodSeconds: 12,
      containers: [
        container("a", {
          lifecycle: preStop("rm ../work/live; sleep 0.5; rm ../work/ready; sleep 0.3"),
          command: ENTRY.sh(
            "touch ../work/live ../work/ready; trap 'exit 0' TERM; sleep 1000 & wait",
          ),
          workingDir: "/work",
          livenessProbe: {
            exec: { command: ["test", "-e", "../work/live"] },
            periodSeconds: 1,
            timeoutSeconds: 5,
            failureThreshold: 1,
          },
          readinessProbe: {
            exec: { command: ["test", "-e", "../work/ready"] },
            periodSeconds: 1,
            timeoutSeconds: 5,
            failureThreshold: 1,
          },
        }),
      ],
    }),
  ]);
  await untilReady(cluster, "p");
  await cluster.deletePod("p");
  const ready: boolean[] = [];
  cluster.subscribe((event) => {
    if (event.kind === "lifecycle" && event.name === "pre-stop-ended") {
      ready.push(isReady(cluster.pod("p")));
    }
  });
  expect(isReady(cluster.pod("p"))).toBe(true);
  await untilGone(cluster, "p");
  expect(secondsBetween(cluster, DELETED, { name: "unready" })).toBeGreaterThanOrEqual(5);
  expect(ready).toEqual([false]);
  const unhealthy = cluster
    .events()
    .flatMap((event) =>
      event.kind === "event" && event.reason === "Unhealthy" ? [event.message] : [],
    );
  expect(unhealthy.filter((message) => message.startsWith("Liveness"))).toEqual([]);
  expect(unhealthy.filter((message) => message.startsWith("Readiness")).length).toBeGreaterThan(0);
});

test("force delete, grace 0: object gone at once, the replacement runs while the old process does", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    deployment("d", 1, { containers: [container("a", { command: ENTRY.ignoresTerm })] }),
  ]);
  const [first] = await cluster.waitFor(() => {
    const pods = cluster.pods();
    return pods.every(isReady) && pods.length === 1 && pods;
  });
  const old = first?.metadata?.name ?? "";
  await cluster.deletePod(old, { gracePeriodSeconds: 0 });
  expect(cluster.pod(old)).toBeUndefined();
  await cluster.waitFor(() => cluster.pods().some(isReady));
  expect(lifecycle(cluster, { name: "exit", pod: old })).toEqual([]);
  await cluster.waitFor(() => lifecycle(cluster, { name: "pod-gone", pod: old }).length > 0);
  expect(lifecycle(cluster, { ...KILL, pod: old })).toHaveLength(1);
});

test("a second DELETE can only shorten the grace: one preStop, one SIGTERM, an earlier SIGKILL", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      terminationGracePeriodSeconds: 1000,
      containers: [container("a", { command: ENTRY.ignoresTerm, lifecycle: preStop("true") })],
    }),
  ]);
  await untilReady(cluster, "p");
  await untilPrinted(cluster, "p", "a", "started");
  await cluster.deletePod("p");
  await cluster.waitFor(() => lifecycle(cluster, { name: "signal" }).length === 1);
  await cluster.deletePod("p", { gracePeriodSeconds: 2000 });
  expect(cluster.pod("p")?.metadata?.deletionGracePeriodSeconds).toBe(1000);
  await cluster.deletePod("p", { gracePeriodSeconds: 3 });
  expect(cluster.pod("p")?.metadata?.deletionGracePeriodSeconds).toBe(3);
  await untilGone(cluster, "p");
  expect(secondsBetween(cluster, TERM, KILL)).toBeGreaterThanOrEqual(2.95);
  expect(lifecycle(cluster, { name: "pre-stop-started" })).toHaveLength(1);
  expect(lifecycle(cluster, { name: "signal" }).map(({ signal }) => signal)).toEqual([
    "SIGTERM",
    "SIGKILL",
  ]);
});
