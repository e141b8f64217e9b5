import { randomBytes } from "node:crypto";
import { CoreV1Api } from "@kubernetes/client-node";
import type { KubeConfig } from "@kubernetes/client-node";
import { runSteps } from "#kind/steps.ts";
import type { StepsOptions } from "#kind/steps.ts";
import { DEPLOYMENTS, namespaceOf } from "#simulator/omega/manifests/identities.ts";
import type { Requests } from "#simulator/omega/manifests/overlay.ts";
import type { Tunnel } from "#simulator/relay/tunnel.ts";
import { brokerHost } from "#e2e/brokers/container/broker-objects.ts";
import { durationsOf } from "#e2e/base/durations.ts";
import { until } from "#e2e/base/waiting.ts";
import { startKubernetesBroker } from "./broker.ts";
import type { NodeAccess } from "./nodes.ts";
import { relayHost, startKubernetesRelay } from "./relay.ts";
import { startKubernetesTarget } from "./kubernetes-target.ts";
import type { Platform } from "#e2e/targets/platform.ts";
import { TARGET_ABILITIES } from "#e2e/targets/target-abilities.ts";

export interface KubernetesPlatformOptions extends StepsOptions {
  readonly config: KubeConfig;
  /** The image of the consumer, by the name that the nodes know. */
  readonly consumerImage: string;
  /** The image of the simulators, by the name that the nodes know. */
  readonly simulatorsImage: string;
  /**
   * The image of the broker, by the name that the nodes know. Defaults to the image that the broker's software names.
   */
  readonly brokerImage?: string | undefined;
  /** Access to the nodes, or null where they are out of reach. */
  readonly nodes: NodeAccess | null;
  readonly realTime: boolean;
  readonly signal: AbortSignal;
}

/** Enough for pods that are idle most of the time, so that several scenarios at once fit on a small machine. */
const REQUESTS: Requests = { cpu: "50m", memory: "96Mi" };

const NAMESPACES_GONE_MS_MAX = 120_000;

/** Uses an existing cluster and leaves it as it was. */
export async function startKubernetesPlatform(
  options: KubernetesPlatformOptions,
): Promise<Platform> {
  const { config, simulatorsImage, nodes, realTime, signal } = options;
  const core = config.makeApiClient(CoreV1Api);
  const relayNamespace = `kafka-consumer-kit-${suffix()}`;
  const brokerNamespace = `kafka-consumer-kit-broker-${suffix()}`;
  const namespaces = [relayNamespace];
  await using starting = new AsyncDisposableStack();
  starting.defer(() => namespacesGone(core, namespaces));
  let tunnel: Tunnel | undefined;
  const title = "start the relay to the servers of this process";
  const run = async (): Promise<void> => {
    await core.createNamespace({ body: { metadata: { name: relayNamespace } } });
    starting.defer(async () => void (await core.deleteNamespace({ name: relayNamespace })));
    const relay = { namespace: relayNamespace, image: simulatorsImage, signal };
    tunnel = starting.use(await startKubernetesRelay(config, relay));
  };
  await runSteps([{ title, run }], options);
  if (tunnel === undefined) throw new Error("the relay did not start");
  const { lost } = tunnel;
  const expose = tunnel.expose.bind(tunnel);
  const stack = starting.move();
  return {
    abilities: nodes === null ? TARGET_ABILITIES.kubernetes : TARGET_ABILITIES.kind,
    unseen: nodes === null ? ["preStop", "signal"] : [],
    durations: durationsOf(realTime, "cluster"),
    image: options.consumerImage,
    sidecars: {
      identity: { image: simulatorsImage, args: ["athenz-sia"] },
      splunk: { image: simulatorsImage, args: ["splunk-forwarder"] },
    },
    environment: {},
    requests: REQUESTS,
    kitHost: relayHost(relayNamespace),
    expose,
    lost,
    brokerPlace: {
      dnsNames: [brokerHost(brokerNamespace)],
      start: async ({ software, ...more }) => {
        namespaces.push(brokerNamespace);
        const image = options.brokerImage ?? software.image;
        const placed = { ...software, image };
        const namespace = brokerNamespace;
        return await startKubernetesBroker({ ...more, config, namespace, software: placed });
      },
    },
    startTarget: async (directory, job) => {
      // Each deployment has a namespace of its own, named after the namespace of its job.
      const namespace = `${namespaceOf(DEPLOYMENTS[job].namespaceDomain)}-${suffix()}`;
      namespaces.push(namespace);
      return await startKubernetesTarget({ config, namespace, directory, simulatorsImage, nodes });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function suffix(): string {
  return randomBytes(4).toString("hex");
}

/** Waits until the namespaces are gone, so that later runs find the cluster as this run did. */
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
