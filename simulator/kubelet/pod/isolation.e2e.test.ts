import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { KubernetesObject, V1PersistentVolumeClaim } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import {
  container,
  ENTRY,
  lifecycle,
  pod,
  startTestCluster,
  statusOf,
  untilGone,
  untilPrinted,
  untilReady,
} from "#simulator/kubelet/testing/cluster-fixture.ts";

// These tests show what a container cannot do to the host, and the host to a container.

const LINUX_ONLY = { skip: process.platform !== "linux" };

/** A process in state Z has ended; reaping it is its parent's concern. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/**
 * `$$$$` reaches the shell as `$$`, because Kubernetes removes one `$` of each pair. The entry
 * point prints its own process id and that of its grandchild, which is in a session of its own and
 * ignores signals.
 */
const WITH_DAEMON = ENTRY.sh(
  "trap 'exit 0' TERM; setsid sh -c 'trap \"\" TERM; echo daemon $$$$; while :; do sleep 1000; done' & " +
    "sleep 0.05; echo main $$$$; echo up; wait; sleep 1000 & wait",
);

function pidsIn(text: string): number[] {
  return [...text.matchAll(/(?:daemon|main) (\d+)/g)].map(([, pid]) => Number(pid));
}

test("everything that a container started ends with it, in any session", LINUX_ONLY, async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([pod("p", { containers: [container("a", { command: WITH_DAEMON })] })]);
  await untilPrinted(cluster, "p", "a", "up");
  const pids = pidsIn(await cluster.logs("p", "a"));
  expect(pids).toHaveLength(2);
  expect(pids.every(isRunning)).toBe(true);
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  expect(pids.filter(isRunning)).toEqual([]);
});

test("disposing the cluster ends every process and removes its directory", LINUX_ONLY, async () => {
  const cluster = await startTestCluster();
  await cluster.apply([
    pod("p", { containers: [container("a", { command: WITH_DAEMON })] }),
    pod("q", { containers: [container("a", { command: ENTRY.ignoresTerm })] }),
  ]);
  await untilPrinted(cluster, "p", "a", "up");
  const pids = pidsIn(await cluster.logs("p", "a"));
  await cluster[Symbol.asyncDispose]();
  expect(pids.filter(isRunning)).toEqual([]);
  expect(existsSync(cluster.directory)).toBe(false);
  await cluster[Symbol.asyncDispose]();
});

test("disposing at every moment of a pod's start leaves nothing", async () => {
  for (const waitMs of [0, 1, 3, 6, 10, 20]) {
    const cluster = await startTestCluster();
    await cluster.apply([pod("p", { containers: [container("a"), container("b")] })]);
    await delay(waitMs);
    await cluster[Symbol.asyncDispose]();
    expect(existsSync(cluster.directory)).toBe(false);
  }
});

const FIXTURE = new URL("../testing/cluster-fixture.ts", import.meta.url).href;
const RUNTIME = `
import { startTestCluster, pod, container, untilPrinted } from ${JSON.stringify(FIXTURE)};
const cluster = await startTestCluster();
await cluster.apply([pod("p", { containers: [container("a", { command: JSON.parse(process.env.ENTRY) })] })]);
await untilPrinted(cluster, "p", "a", "up");
console.log(JSON.stringify({ logs: await cluster.logs("p", "a"), directory: cluster.directory }));
setInterval(() => undefined, 1000);
`;

test(
  "SIGKILL of the runtime's process ends its containers and removes its directory",
  LINUX_ONLY,
  async () => {
    const runtime = spawn(process.execPath, ["--input-type=module-typescript", "--eval", RUNTIME], {
      env: { ...process.env, ENTRY: JSON.stringify(WITH_DAEMON) },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [line] = await once(createInterface(runtime.stdout), "line");
      const { logs, directory }: { logs: string; directory: string } = JSON.parse(String(line));
      const pids = pidsIn(logs);
      expect(pids).toHaveLength(2);
      expect(pids.every(isRunning)).toBe(true);
      runtime.kill("SIGKILL");
      await expect.poll(() => pids.filter(isRunning), { timeout: 10_000 }).toEqual([]);
      await expect.poll(() => existsSync(directory), { timeout: 5000 }).toBe(false);
    } finally {
      runtime.kill("SIGKILL");
    }
  },
);

test("the environment of a container is the image's and the manifest's, not this process's", async () => {
  process.env["KUBELET_TEST_SECRET"] = "leak";
  await using cluster = await startTestCluster();
  await cluster.apply([
    pod("p", { containers: [container("a", { env: [{ name: "GIVEN", value: "yes" }] })] }),
  ]);
  await untilReady(cluster, "p");
  const { stdout } = await cluster.exec("p", "a", ["env"]);
  expect(stdout).toContain("GIVEN=yes");
  expect(stdout).toContain("HOSTNAME=p");
  expect(stdout).not.toContain("leak");
  delete process.env["KUBELET_TEST_SECRET"];
});

const SERVER = `
const { createServer } = require("node:http");
const server = createServer((request, response) => response.end("pod " + process.env.HOSTNAME));
  server.listen(Number(process.env.PORT), "0.0.0.0");
`;

test("replicas listen on the same container port side by side; probes and get() find each", async () => {
  await using cluster = await startTestCluster({
    images: [{ name: "web:*", portVariables: { PORT: 8080 } }],
  });
  const web = container("web", {
    image: "web:1",
    command: [process.execPath, "--eval", SERVER],
    ports: [{ name: "http", containerPort: 8080 }],
    readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 1, timeoutSeconds: 20 },
    livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 10, timeoutSeconds: 20 },
  });
  await cluster.apply([pod("p", { containers: [web] }), pod("q", { containers: [web] })]);
  await untilReady(cluster, "p");
  await untilReady(cluster, "q");
  expect(await cluster.get("p", "/")).toMatchObject({ status: 200, body: "pod p" });
  expect(await cluster.get("q", "/", 8080)).toMatchObject({ status: 200, body: "pod q" });
  const port = cluster.leasedPort("p");
  expect(port).toBeGreaterThanOrEqual(20_000);
  expect(port).toBeLessThan(32_768);
  await cluster.deletePod("p", { gracePeriodSeconds: 1 });
  await untilGone(cluster, "p");
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.close();
});

const CLAIM: V1PersistentVolumeClaim & KubernetesObject = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "history" },
  spec: {
    accessModes: ["ReadWriteMany"],
    storageClassName: "efs-default",
    resources: { requests: { storage: "1Gi" } },
  },
};

function shared(name: string, script: string): ReturnType<typeof pod> {
  return pod(name, {
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "history" } }],
    containers: [
      container("a", {
        command: ENTRY.sh(`${script}; trap 'exit 0' TERM; echo up; sleep 1000 & wait`),
        volumeMounts: [{ name: "data", mountPath: "/data/history" }],
      }),
    ],
  });
}

test("a claim is one directory for all pods and outlives them, and a pod waits for its claim", async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([shared("p", "mkdir -p /data/history/x && echo one > /data/history/x/file")]);
  await cluster.waitFor(() =>
    cluster.events().some((event) => event.kind === "event" && event.reason === "FailedScheduling"),
  );
  expect(statusOf(cluster.pod("p"), "a")?.state?.waiting?.reason).toBe("ContainerCreating");
  await cluster.apply([CLAIM]);
  await untilReady(cluster, "p");
  await untilPrinted(cluster, "p", "a", "up");
  await cluster.deletePod("p");
  await untilGone(cluster, "p");
  await cluster.apply([shared("q", "cat /data/history/x/file")]);
  await untilReady(cluster, "q");
  await untilPrinted(cluster, "q", "a", "one");
  expect((await cluster.readVolume("history", "x/file")).toString()).toBe("one\n");
  expect(await cluster.listVolume("history")).toEqual(["x"]);
  expect(await readdir(cluster.volumePath("history"))).toEqual(["x"]);
});

test("pause stops every process of the container, unpause continues it", LINUX_ONLY, async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([pod("p", { containers: [container("a", { command: WITH_DAEMON })] })]);
  await untilPrinted(cluster, "p", "a", "up");
  const pids = pidsIn(await cluster.logs("p", "a"));
  const states = (): string[] =>
    pids.map((pid) => /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1] ?? "");
  await cluster.pause("p", "a");
  await expect.poll(states).toEqual(["T", "T"]);
  await cluster.unpause("p", "a");
  await expect.poll(states).not.toContain("T");
});

test("a signal from the node that PID 1 does not catch is withheld", LINUX_ONLY, async () => {
  await using cluster = await startTestCluster();
  await cluster.apply([pod("p", { containers: [container("a", { command: ENTRY.sleeps })] })]);
  await untilReady(cluster, "p");
  await cluster.kill("p", "a", "SIGTERM");
  await cluster.kill("p", "a", "SIGHUP");
  expect(lifecycle(cluster, { name: "signal-withheld" }).map(({ signal }) => signal)).toEqual([
    "SIGTERM",
    "SIGHUP",
  ]);
  expect(statusOf(cluster.pod("p"), "a")?.state?.running).toBeDefined();
});
