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
  /** As nodes know it. */
  readonly consumerImage: string;
  /** As nodes know it. */
  readonly simulatorsImage: string;
  /** Of the broker, as nodes know it; absent: as its software names it. */
  readonly brokerImage?: string | undefined;
  /** null where nobody reaches the nodes. */
  readonly nodes: NodeAccess | null;
  readonly realTime: boolean;
  readonly signal: AbortSignal;
}

/** Enough for pods that are idle most of the time; several scenarios at once then fit on a small machine. */
const REQUESTS: Requests = { cpu: "50m", memory: "96Mi" };

const NAMESPACES_GONE_MS_MAX = 120_000;

/** A cluster that is there. It is left as it was found. */
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
    startTarget: async (directory) => {
      // The namespace of the component job, one for each deployment.
      const namespace = `${namespaceOf(DEPLOYMENTS.component.namespaceDomain)}-${suffix()}`;
      namespaces.push(namespace);
      return await startKubernetesTarget({ config, namespace, directory, simulatorsImage, nodes });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function suffix(): string {
  return randomBytes(4).toString("hex");
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
