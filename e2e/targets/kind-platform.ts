import { randomBytes } from "node:crypto";
import { CoreV1Api } from "@kubernetes/client-node";
import { bringUp, takeDown } from "#kind/bring-up.ts";
import { runCommand } from "#kind/command.ts";
import { findEngine } from "#kind/engine.ts";
import type { Engine } from "#kind/engine.ts";
import { buildImage } from "#kind/images.ts";
import type { ImageKind } from "#kind/images.ts";
import { runSteps } from "#kind/steps.ts";
import type { Step, StepsOptions } from "#kind/steps.ts";
import { DEPLOYMENTS, namespaceOf } from "#simulator/omega/identities.ts";
import type { KindArguments } from "../arguments.ts";
import { durationsOf } from "../durations.ts";
import { until } from "../waiting.ts";
import { kindNodes } from "./kind-nodes.ts";
import { startKubernetesTarget } from "./kubernetes.ts";
import type { Platform } from "./platform.ts";

export interface KindPlatformOptions extends StepsOptions, KindArguments {
  readonly realTime: boolean;
  /** Asked at the end: whether a cluster that was made stays. */
  readonly keepAtEnd: () => boolean;
}

const DEFAULT_CLUSTER = "kafka-consumer-kit";

/** Enough for pods that are idle most of the time; several scenarios at once then fit on a small machine. */
const REQUESTS = { cpu: "50m", memory: "96Mi" };

const NAMESPACES_GONE_MS_MAX = 120_000;

/** A kind cluster on this host's engine. The servers of the kit stay in this process: pods reach them at the gateway of kind's network. */
export async function startKindPlatform(options: KindPlatformOptions): Promise<Platform> {
  const { keepAtEnd, realTime, signal, nodeImage } = options;
  const engine = options.engine ?? (await findEngine({ signal }));
  const built = await buildImages(engine, options);
  const { config, cluster, reused, images } = await bringUp({
    ...options,
    engine,
    name: options.cluster ?? DEFAULT_CLUSTER,
    nodeImage: nodeImage ?? undefined,
    images: [built.consumer, built.simulators],
  });
  const [image = "", simulatorsImage = ""] = images;
  const kitHost = await gatewayOf(engine);
  const namespaces: string[] = [];
  return {
    abilities: new Set(["cluster-nodes", "memory-limits", "api-server"]),
    unseen: ["preStop", "signal"],
    durations: durationsOf(realTime, "cluster"),
    image,
    sidecars: {
      identity: { image: simulatorsImage, args: ["athenz-sia"] },
      splunk: { image: simulatorsImage, args: ["splunk-forwarder"] },
    },
    environment: {},
    requests: REQUESTS,
    kitHost,
    startTarget: async (directory) => {
      const namespace = freshNamespace();
      namespaces.push(namespace);
      return await startKubernetesTarget({
        config,
        namespace,
        directory,
        simulatorsImage,
        nodes: kindNodes(engine),
      });
    },
    saveNodeLogs: (directory) => cluster.exportLogs(directory),
    [Symbol.asyncDispose]: async () => {
      if (!reused && !keepAtEnd()) return await takeDown(cluster);
      await namespacesGone(config.makeApiClient(CoreV1Api), namespaces);
    },
  };
}

interface Images {
  readonly consumer: string;
  readonly simulators: string;
}

/** What did not change is in the engine's cache. */
async function buildImages(engine: Engine, options: KindPlatformOptions): Promise<Images> {
  const images = { consumer: options.image ?? "", simulators: "" };
  const kinds: ImageKind[] = options.image === null ? ["consumer", "simulators"] : ["simulators"];
  const steps = kinds.map((kind): Step => ({
    title: `build the image of the ${kind}`,
    run: async () => {
      const { signal } = options;
      const baseImage = options.baseImage ?? undefined;
      const { name, bytes } = await buildImage(kind, { engine, baseImage, signal });
      images[kind] = name;
      return `${name}, ${Math.round(bytes / 1e6)} MB`;
    },
  }));
  await runSteps(steps, options);
  return images;
}

/** The namespace of the component job, one for each stage. */
function freshNamespace(): string {
  const name = namespaceOf(DEPLOYMENTS.component.namespaceDomain);
  return `${name}-${randomBytes(4).toString("hex")}`;
}

/** What follows must find the cluster as this run did. */
async function namespacesGone(core: CoreV1Api, namespaces: readonly string[]): Promise<void> {
  await until(
    "the namespaces of the run are gone",
    async () => {
      const { items } = await core.listNamespace();
      return items.every(({ metadata }) => !namespaces.includes(metadata?.name ?? ""));
    },
    { deadlineMs: NAMESPACES_GONE_MS_MAX, intervalMs: 500 },
  );
}

/** The address of this host in the network of the nodes, IPv4. Throws when the engine does not say. */
async function gatewayOf(engine: Engine): Promise<string> {
  const gateways = { docker: "{{range .IPAM.Config}}", podman: "{{range .Subnets}}" }[engine];
  const format = `${gateways}{{println .Gateway}}{{end}}`;
  const printed = await runCommand(engine, ["network", "inspect", "kind", "--format", format]);
  const gateway = printed.split("\n").find((line) => /^\d+(\.\d+){3}$/.test(line));
  if (gateway === undefined) throw new Error(`the network kind of ${engine} has no gateway`);
  return gateway;
}
