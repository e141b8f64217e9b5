import { join } from "node:path";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { KindCluster, SHARED_PATH } from "./cluster.ts";
import { stateDirectory } from "./cluster-record.ts";
import { ClusterUse } from "./cluster-use.ts";
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
  /** The node image. Defaults to kind's own. It has no effect on a cluster that exists already. */
  readonly nodeImage?: string | undefined;
  /** The images of the container engine that are loaded into the nodes. */
  readonly images: readonly NodeImage[];
}

interface NodeImage {
  /** The image's name. Pods are given this name with a tag that is made of the image's content. */
  readonly reference: string;
  /**
   * The id by which the engine finds the image, in case the name stands for another image by now.
   * Defaults to the name.
   */
  readonly id?: string | undefined;
  /** The nodes that get the image. `all` includes the control plane. */
  readonly nodes: "workers" | "all";
}

export interface RunningKind {
  readonly cluster: KindCluster;
  /** True when the cluster existed before. */
  readonly reused: boolean;
  /** The image names to be used in pods, in the order in which the images were given. */
  readonly images: readonly string[];
  /** Access as an administrator. It holds a secret. */
  readonly config: KubeConfig;
  /**
   * Ends the use of the cluster and returns the ids of the processes that still use it. A cluster
   * that was made by a run is deleted by the last run that leaves it, unless one of the runs asked
   * to `keep` it.
   */
  readonly leave: (options: { readonly keep: boolean }) => Promise<readonly number[]>;
}

const NODES_READY_MS_MAX = 300_000;

/**
 * Makes a cluster with the storage class efs-default and the images, or takes the running one of
 * that name as soon as no other run is making it. Throws StepError.
 */
export async function bringUp(options: BringUpOptions): Promise<RunningKind> {
  const { name, nodeImage, images, signal, onStep } = options;
  const cluster = kindCluster(options);
  const use = new ClusterUse(cluster);
  const config = new KubeConfig();
  let reused = false;
  const loaded: string[] = [];
  const title = `create the cluster ${name}`;
  const onWait = (pid: number): void => {
    onStep({ title, state: "waiting", text: `process ${pid} is making or deleting it` });
  };
  const steps: Step[] = [
    {
      title,
      run: async () => {
        const how = await use.begin({ nodeImage, signal, onWait });
        reused = how === "found";
        if (how === "remade") return "half of it was there, left by a run that was killed";
        return reused ? "it is there already" : undefined;
      },
      undo: () => use.undo(),
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
    ...images.map(({ reference, id = reference, nodes: on }, index) => ({
      title: `load ${reference}`,
      run: async () => {
        const tagged = await contentName(options.engine, reference, id);
        loaded[index] = tagged;
        const { items } = await config.makeApiClient(CoreV1Api).listNode();
        const nodes = nodesWithout(tagged, on === "all" ? items : workers(items));
        if (nodes.length > 0) await loadAs(tagged, id, { cluster, nodes });
        return nodes.length > 0
          ? `${tagged}, to ${nodes.length} nodes`
          : `${tagged} is there already`;
      },
    })),
  ];
  try {
    await runSteps(steps, options);
    await use.ready();
  } catch (error) {
    await use.giveUp();
    throw error;
  }
  return { cluster, reused, config, images: loaded, leave: (how) => use.leave(how) };
}

/** Returns the kind commands for a cluster, whether it exists or not. */
export function kindCluster(options: {
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

/** Waits until every node is Ready and returns the number of nodes. */
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
