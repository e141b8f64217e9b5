import { CoreV1Api } from "@kubernetes/client-node";
import type { KubeConfig, V1Pod } from "@kubernetes/client-node";
import { BROKER, BROKER_POD, brokerObjects } from "#e2e/brokers/container/broker-objects.ts";
import type { StartedBroker, StartedBrokerOptions } from "#e2e/brokers/container/started-broker.ts";
import { lastLines } from "#e2e/brokers/container/last-lines.ts";
import { tlsListenerAnswers } from "#e2e/brokers/container/tls-listener-answers.ts";
import { isReady } from "#e2e/targets/pods.ts";
import { until } from "#e2e/base/waiting.ts";
import { applyWhole, deleteNamespace } from "./namespace.ts";
import { forwardedPort } from "./port.ts";

export interface KubernetesBrokerOptions extends StartedBrokerOptions {
  readonly config: KubeConfig;
  /** The namespace that is made for the broker and deleted with it. */
  readonly namespace: string;
}

const START_MS_MAX = 240_000;

/**
 * Starts a broker in a cluster and reaches it through the API server. Pods could reach its Service directly, but they
 * connect through the TCP proxies of this process, so that a deployment can lose its connections.
 */
export async function startKubernetesBroker(
  options: KubernetesBrokerOptions,
): Promise<StartedBroker> {
  const { config, namespace, software, plan, signal } = options;
  const core = config.makeApiClient(CoreV1Api);
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  const server = new KubernetesBroker(config, namespace);
  try {
    await applyWhole(config, brokerObjects(software, plan, namespace));
    let seen = "";
    await until(
      `the broker ${software.kind} serves in the cluster`,
      async () => {
        const { items } = await core.listNamespacedPod({ namespace });
        const pod = items.find(({ metadata }) => metadata?.name === BROKER_POD);
        seen = pod === undefined ? "no pod" : stateOf(pod);
        return (
          pod !== undefined &&
          isReady(pod) &&
          (await tlsListenerAnswers(() => server.dial(plan.admin.port)))
        );
      },
      {
        deadlineMs: START_MS_MAX,
        intervalMs: 500,
        signal,
        seen: async () => `${seen}${lastLines(await server.log())}`,
      },
    );
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

class KubernetesBroker implements StartedBroker {
  readonly #config: KubeConfig;
  readonly #core: CoreV1Api;
  readonly #namespace: string;

  constructor(config: KubeConfig, namespace: string) {
    this.#config = config;
    this.#core = config.makeApiClient(CoreV1Api);
    this.#namespace = namespace;
  }

  async dial(port: number) {
    return await forwardedPort(this.#config, { namespace: this.#namespace, pod: BROKER_POD, port });
  }

  async log(): Promise<string> {
    const place = { name: BROKER_POD, namespace: this.#namespace };
    const logs = ["prepare", BROKER].map((container) =>
      // A container that was never started has no log.
      this.#core.readNamespacedPodLog({ ...place, container }).catch(() => ""),
    );
    return (await Promise.all(logs)).join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteNamespace(this.#core, this.#namespace);
  }
}

/** Returns the reason why the pod is not ready yet. */
function stateOf({ status }: V1Pod): string {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const states = statuses.map(({ name, state, restartCount }) => {
    const what = state?.waiting?.reason ?? state?.terminated?.reason ?? "running";
    return `${name} ${what}, ${restartCount} restarts`;
  });
  const unscheduled = status?.conditions?.find(({ type }) => type === "PodScheduled")?.message;
  return [unscheduled ?? "", ...states].filter((text) => text !== "").join("; ");
}
