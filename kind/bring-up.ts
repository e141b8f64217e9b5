import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { KindCluster, SHARED_PATH } from "./cluster.ts";
import { runCommand } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import type { Engine } from "./engine.ts";
import { contentName, loadAs, nodesWithout, workers } from "./node-images.ts";
import { runSteps } from "./steps.ts";
import type { Step, StepsOptions } from "./steps.ts";
import { addSharedStorageClass } from "./storage.ts";
import { waitFor } from "./waiting.ts";

export interface BringUpOptions extends StepsOptions, Pick<CommandOptions, "onLine"> {
  readonly name: string;
  readonly engine: Engine;
  /** kind's own default when none is given. Of no effect on a cluster that is there. */
  readonly nodeImage?: string | undefined;
  /** Images of the engine that the nodes are given. */
  readonly images: readonly NodeImage[];
}

interface NodeImage {
  /** As the engine knows it. */
  readonly reference: string;
  /** `all`: the control plane's too. */
  readonly nodes: "workers" | "all";
}

export interface RunningKind {
  readonly cluster: KindCluster;
  /** Whether it was there before. */
  readonly reused: boolean;
  /** What pods name the images, in the order in which they were given. */
  readonly images: readonly string[];
  /** Access as an administrator; holds a secret. */
  readonly config: KubeConfig;
}

const NODES_READY_MS_MAX = 300_000;

/** A cluster with the class efs-default and the images: made, or taken as it is when one of that name runs. Throws StepError. */
export async function bringUp(options: BringUpOptions): Promise<RunningKind> {
  const { name, nodeImage, images, signal } = options;
  const cluster = kindCluster(options);
  const config = new KubeConfig();
  let reused = false;
  const loaded: string[] = [];
  const steps: Step[] = [
    {
      title: `create the cluster ${name}`,
      run: async () => {
        reused = await cluster.exists();
        if (reused) return "it is there already";
        const sharedDirectory = join(stateDirectory(name), "shared");
        // Its volumes belong to whatever uid a pod has.
        await mkdir(sharedDirectory, { recursive: true, mode: 0o755 });
        await cluster.create({ nodeImage, sharedDirectory });
        return undefined;
      },
      undo: async () => {
        if (!reused) await takeDown(cluster);
      },
    },
    {
      title: "wait for its nodes",
      run: async () => {
        config.loadFromString(await cluster.kubeconfig());
        return `${await nodesReady(config, signal)} nodes are ready`;
      },
    },
    {
      title: "add the storage class efs-default",
      run: () => addSharedStorageClass(config, SHARED_PATH, signal),
    },
    ...images.map(({ reference, nodes: on }, index) => ({
      title: `load ${reference}`,
      run: async () => {
        const tagged = await contentName(options.engine, reference);
        loaded[index] = tagged;
        const { items } = await config.makeApiClient(CoreV1Api).listNode();
        const nodes = nodesWithout(tagged, on === "all" ? items : workers(items));
        if (nodes.length > 0) await loadAs(tagged, reference, { cluster, nodes });
        return nodes.length > 0
          ? `${tagged}, to ${nodes.length} nodes`
          : `${tagged} is there already`;
      },
    })),
  ];
  await runSteps(steps, options);
  return { cluster, reused, config, images: loaded };
}

/** For the kind commands of a cluster that may exist. */
function kindCluster(options: {
  readonly name: string;
  readonly engine: Engine;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
}): KindCluster {
  return new KindCluster({
    ...options,
    kubeconfigFile: join(stateDirectory(options.name), "kubeconfig"),
  });
}

/** Deletes the cluster and everything that it left on this host. */
export async function takeDown(cluster: KindCluster): Promise<void> {
  const [node] = await cluster.nodes();
  if (node !== undefined) {
    // Its files belong to the uids of pods: only a node may delete them. One that does not answer any more has its say below.
    await runCommand(cluster.engine, [
      "exec",
      node,
      "find",
      SHARED_PATH,
      "-mindepth",
      "1",
      "-delete",
    ]).catch(() => {});
  }
  await cluster.delete();
  // kind leaves its network to the next cluster, of which there may be none.
  if ((await cluster.all()).length === 0) {
    await runCommand(cluster.engine, ["network", "rm", "kind"]).catch(() => {});
  }
  await rm(stateDirectory(cluster.name), { recursive: true, force: true });
}

/** Holds the kubeconfig and the directory that the nodes share. */
export function stateDirectory(name: string): string {
  return join(tmpdir(), `kafka-consumer-kind-${name}`);
}

/** Gives their number. */
async function nodesReady(config: KubeConfig, signal?: AbortSignal): Promise<number> {
  const core = config.makeApiClient(CoreV1Api);
  let count = 0;
  await waitFor(
    "every node is ready",
    async () => {
      const { items } = await core.listNode();
      count = items.length;
      return items.every(({ status }) =>
        status?.conditions?.some(
          (condition) => condition.type === "Ready" && condition.status === "True",
        ),
      );
    },
    { deadlineMs: NODES_READY_MS_MAX, signal },
  );
  return count;
}
