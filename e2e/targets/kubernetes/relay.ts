import { CoreV1Api } from "@kubernetes/client-node";
import type { KubeConfig, V1Pod } from "@kubernetes/client-node";
import { openTunnel } from "#simulator/relay/tunnel.ts";
import type { Tunnel } from "#simulator/relay/tunnel.ts";
import { until } from "#e2e/base/waiting.ts";
import { KIT_POD } from "#e2e/targets/control-plane.ts";
import { forwardedPort } from "./port.ts";
import { KIT_LABEL } from "./watch.ts";

export interface KubernetesRelayOptions {
  /** The namespace of the relay, which must exist. The objects of the relay are removed with it. */
  readonly namespace: string;
  /** The image of the simulators. */
  readonly image: string;
  readonly signal: AbortSignal;
}

const NAME = "relay";
const PORT = 8091;
const RUNS_MS_MAX = 120_000;

/** Returns the host name at which pods of any namespace reach the exposed ports. */
export function relayHost(namespace: string): string {
  return `${NAME}.${namespace}.svc`;
}

/**
 * Starts a pod that stands in for the servers of this process, and a tunnel to it through the API server. Only the API
 * server has to be reachable from here, and the pods need no route back.
 */
export async function startKubernetesRelay(
  config: KubeConfig,
  { namespace, image, signal }: KubernetesRelayOptions,
): Promise<Tunnel> {
  const core = config.makeApiClient(CoreV1Api);
  await core.createNamespacedPod({ namespace, body: relayPod(image) });
  await core.createNamespacedService({
    namespace,
    body: {
      metadata: { name: NAME },
      // A headless Service needs no list of ports: its name resolves to the address of the pod.
      spec: { clusterIP: "None", selector: { [KIT_LABEL]: NAME } },
    },
  });
  await until(
    "the relay runs",
    async () => {
      const { status } = await core.readNamespacedPod({ name: NAME, namespace });
      return status?.containerStatuses?.[0]?.state?.running !== undefined;
    },
    { deadlineMs: RUNS_MS_MAX, intervalMs: 200, signal },
  );
  let seen: unknown;
  return await until(
    "the relay answers",
    async () => {
      try {
        return await openTunnel(await forwardedPort(config, { namespace, pod: NAME, port: PORT }));
      } catch (error) {
        seen = error;
        return null;
      }
    },
    { deadlineMs: RUNS_MS_MAX, intervalMs: 200, signal, seen: () => String(seen) },
  );
}

function relayPod(image: string): V1Pod {
  return {
    metadata: { name: NAME, labels: { [KIT_LABEL]: NAME } },
    spec: {
      ...KIT_POD,
      containers: [
        {
          name: NAME,
          image,
          args: ["relay", "--port", String(PORT)],
          resources: { requests: { cpu: "50m", memory: "64Mi" } },
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
        },
      ],
    },
  };
}
