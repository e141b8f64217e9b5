import { existsSync } from "node:fs";
import { AppsV1Api, CoreV1Api, StorageV1Api } from "@kubernetes/client-node";
import type { V1PersistentVolumeClaim, V1Pod } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bringUp } from "./bring-up.ts";
import type { BringUpOptions, RunningKind } from "./bring-up.ts";
import { stateDirectory } from "./cluster-record.ts";
import { takeDown } from "./cluster-use.ts";
import { runCommand } from "./command.ts";
import { nodeImage, notAsked } from "./testing/container-tests.ts";
import { findEngine } from "./engine.ts";
import { buildImage } from "./images.ts";
import { nodesWithout } from "./node-images.ts";
import { waitFor } from "./waiting.ts";

const CLUSTER_MS_MAX = 900_000;
const NAMESPACE = "default";

describe.skipIf(notAsked() !== "")(`a cluster of kind${notAsked()}`, () => {
  let options: BringUpOptions;
  let running: RunningKind;
  let image: string;
  let core: CoreV1Api;

  beforeAll(async () => {
    const engine = await findEngine();
    const built = await buildImage("simulators", { engine, tag: "test" });
    options = {
      name: `kit-test-${process.pid}`,
      engine,
      nodeImage: nodeImage(),
      images: [{ reference: built.name, nodes: "workers" }],
      onStep: () => {},
    };
    running = await bringUp(options);
    [image = ""] = running.images;
    core = running.config.makeApiClient(CoreV1Api);
  }, CLUSTER_MS_MAX);

  afterAll(async () => {
    await takeDown(running.cluster);
  }, CLUSTER_MS_MAX);

  const finished = async (name: string): Promise<string> => {
    const pod = { name, namespace: NAMESPACE };
    const phase = async () => (await core.readNamespacedPod(pod)).status?.phase;
    await waitFor(`${name} ends`, async () => /Succeeded|Failed/.test((await phase()) ?? ""), {
      deadlineMs: 90_000,
    });
    return `${await phase()}: ${await core.readNamespacedPodLog(pod)}`;
  };

  test("a cluster has three nodes, and the image is on those that run pods", async () => {
    await waitFor(
      "the nodes say that they have the image",
      async () => nodesWithout(image, (await core.listNode()).items).length === 0,
      { deadlineMs: 60_000 },
    );
    expect((await core.listNode()).items).toHaveLength(3);
  });

  test("pods on two nodes share a volume of efs-default", async () => {
    const [first = "", second = ""] = (await running.cluster.nodes())
      .filter((name) => name.includes("worker"))
      .toSorted();
    await core.createNamespacedPersistentVolumeClaim({
      namespace: NAMESPACE,
      body: claim("shared", "efs-default", "ReadWriteMany"),
    });
    // The pods run as the app does: neither is root, and both write.
    const script = "until [ -e /volume/$1 ]; do sleep 0.1; done; cat /volume/$1";
    for (const [name, node, own, other] of [
      ["one", first, "a", "b"],
      ["two", second, "b", "a"],
    ] as const) {
      const argv = ["sh", "-c", `echo ${name} >/volume/${own}; ${script}`, "sh", other];
      await core.createNamespacedPod({
        namespace: NAMESPACE,
        body: podOf(name, argv, { image, claimName: "shared", nodeName: node }),
      });
    }
    await expect(finished("one")).resolves.toBe("Succeeded: two\n");
    await expect(finished("two")).resolves.toBe("Succeeded: one\n");
  });

  test("the class standard works as before", async () => {
    await core.createNamespacedPersistentVolumeClaim({
      namespace: NAMESPACE,
      body: claim("own", "standard", "ReadWriteOnce"),
    });
    const argv = ["sh", "-c", "echo kept >/volume/a; cat /volume/a"];
    await core.createNamespacedPod({
      namespace: NAMESPACE,
      body: podOf("three", argv, { image, claimName: "own" }),
    });
    await expect(finished("three")).resolves.toBe("Succeeded: kept\n");
  });

  test("a cluster that is brought up again is taken as it is", async () => {
    const provisioner = { name: "local-path-provisioner", namespace: "local-path-storage" };
    const apps = running.config.makeApiClient(AppsV1Api);
    const before = await apps.readNamespacedDeployment(provisioner);
    const again = await bringUp(options);
    expect(again.reused).toBe(true);
    expect(await again.leave({ keep: false })).toEqual([process.pid]);
    const after = await apps.readNamespacedDeployment(provisioner);
    expect(after.metadata?.generation).toBe(before.metadata?.generation);
    const { items } = await running.config.makeApiClient(StorageV1Api).listStorageClass();
    expect(new Set(items.map(({ metadata }) => metadata?.name))).toEqual(
      new Set(["efs-default", "standard"]),
    );
  });

  test("a failed step removes a cluster that it made, and leaves one that existed", async () => {
    const broken = {
      ...options,
      images: [{ reference: "localhost/no-such-image:1", nodes: "all" as const }],
    };
    await expect(bringUp(broken)).rejects.toThrow(/load localhost\/no-such-image:1: docker image/);
    await expect(running.cluster.exists()).resolves.toBe(true);
  });

  test(
    "a cluster that is taken down leaves no container, network or file",
    async () => {
      expect(await running.leave({ keep: false })).toEqual([]);
      const { engine, name } = options;
      const left = await runCommand(engine, ["ps", "--all", "--format", "{{.Names}}"]);
      expect(left.split("\n").filter((line) => line.startsWith(name))).toEqual([]);
      expect(existsSync(stateDirectory(name))).toBe(false);
    },
    CLUSTER_MS_MAX,
  );
});

function claim(name: string, storageClassName: string, mode: string): V1PersistentVolumeClaim {
  return {
    metadata: { name },
    spec: {
      accessModes: [mode],
      storageClassName,
      resources: { requests: { storage: "1Mi" } },
    },
  };
}

function podOf(
  name: string,
  command: string[],
  options: { image: string; claimName: string; nodeName?: string },
): V1Pod {
  const { image, claimName, nodeName } = options;
  return {
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      ...(nodeName !== undefined && { nodeName }),
      containers: [
        { name: "main", image, command, volumeMounts: [{ name: "v", mountPath: "/volume" }] },
      ],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName } }],
    },
  };
}
