import { expect, test } from "vitest";
import {
  container,
  ENTRY,
  lifecycle,
  pod,
  reasons,
  secondsBetween,
  startTestCluster,
  statusOf,
  untilPrinted,
  untilReady,
} from "#simulator/kubelet/testing/cluster-fixture.ts";

// The rows about probes and postStart of the table "Starting and restarting", measured on
// Kubernetes 1.34. Seconds are the cluster's.

const EMPTY_DIRECTORY = {
  volumes: [{ name: "scratch", emptyDir: {} }],
};

const SCRATCH = [{ name: "scratch", mountPath: "/scratch" }];

test("liveness failing, threshold 2, period 1: Unhealthy, Killing, preStop, SIGTERM, new container", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      ...EMPTY_DIRECTORY,
      containers: [
        container("a", {
          volumeMounts: SCRATCH,
          lifecycle: { preStop: { exec: { command: ["touch", "/scratch/stopped"] } } },
          command: ENTRY.sh(
            "touch /scratch/live; trap 'exit 0' TERM; echo started; sleep 1000 & wait",
          ),
          livenessProbe: {
            exec: { command: ["test", "-e", "/scratch/live"] },
            periodSeconds: 1,
            timeoutSeconds: 5,
            failureThreshold: 2,
          },
        }),
      ],
    }),
  ]);
  await untilPrinted(cluster, "p", "a", "started");
  await cluster.exec("p", "a", ["rm", "/scratch/live"]);
  await cluster.waitFor(() => {
    const status = statusOf(cluster.pod("p"), "a");
    return status?.restartCount === 1 && status.state?.running;
  });
  const messages = cluster
    .events()
    .flatMap((event) => (event.kind === "event" ? [[event.reason, event.message]] : []));
  expect(messages.filter(([reason]) => reason === "Unhealthy")).toHaveLength(2);
  expect(messages).toContainEqual([
    "Killing",
    "Container a failed liveness probe, will be restarted",
  ]);
  expect(lifecycle(cluster, { name: "pre-stop-ended" })[0]?.detail).toBe("passed");
  expect(lifecycle(cluster, { name: "signal" }).map(({ signal }) => signal)).toEqual(["SIGTERM"]);
  expect((await cluster.exec("p", "a", ["test", "-e", "/scratch/stopped"])).exitCode).toBe(0);
});

test("failed startup probe restarts too, and startup gates readiness and liveness", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      ...EMPTY_DIRECTORY,
      containers: [
        container("a", {
          volumeMounts: SCRATCH,
          startupProbe: {
            exec: { command: ["test", "-e", "/scratch/up"] },
            periodSeconds: 1,
            timeoutSeconds: 5,
            failureThreshold: 2,
          },
          livenessProbe: {
            exec: { command: ["sh", "-c", "echo x >> /scratch/liveness"] },
            periodSeconds: 1,
            timeoutSeconds: 5,
          },
          readinessProbe: {
            exec: { command: ["sh", "-c", "echo x >> /scratch/readiness"] },
            periodSeconds: 1000,
            timeoutSeconds: 5,
          },
        }),
      ],
    }),
  ]);
  await cluster.waitFor(() => {
    const status = statusOf(cluster.pod("p"), "a");
    return status?.restartCount === 1 && status.state?.running;
  });
  expect(cluster.events()).toContainEqual(
    expect.objectContaining({ message: "Container a failed startup probe, will be restarted" }),
  );
  expect(statusOf(cluster.pod("p"), "a")).toMatchObject({ started: false, ready: false });
  expect((await cluster.exec("p", "a", ["ls", "/scratch"])).stdout).toBe("");
  await cluster.exec("p", "a", ["touch", "/scratch/up"]);
  // The next period of the readiness probe is far away: it is executed as soon as the startup probe
  // has passed.
  await untilReady(cluster, "p");
  expect(statusOf(cluster.pod("p"), "a")).toMatchObject({ started: true, ready: true });
});

test("postStart runs beside the entry point, and readiness waits for it", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", {
      containers: [
        container("a", {
          lifecycle: { postStart: { exec: { command: ["sleep", "0.2"] } } },
          readinessProbe: { exec: { command: ["true"] }, periodSeconds: 1, timeoutSeconds: 5 },
        }),
      ],
    }),
  ]);
  await untilPrinted(cluster, "p", "a", "started");
  await untilReady(cluster, "p");
  expect(secondsBetween(cluster, { name: "started" }, { name: "ready" })).toBeGreaterThanOrEqual(2);
});

test("postStart fails: FailedPostStartHook, SIGTERM, backoff", async () => {
  await using cluster = await startTestCluster({ timing: { secondMs: 20 } });
  await cluster.apply([
    pod("p", {
      terminationGracePeriodSeconds: 100,
      containers: [
        container("a", {
          lifecycle: { postStart: { exec: { command: ["sh", "-c", "sleep 0.1; exit 1"] } } },
        }),
      ],
    }),
  ]);
  await cluster.waitFor(
    () => statusOf(cluster.pod("p"), "a")?.state?.waiting?.reason === "CrashLoopBackOff",
  );
  expect(reasons(cluster)).toContain("FailedPostStartHook");
  expect(lifecycle(cluster, { name: "signal" })[0]?.signal).toBe("SIGTERM");
});
