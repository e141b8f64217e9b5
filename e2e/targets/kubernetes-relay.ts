import { PassThrough, Duplex } from "node:stream";
import { CoreV1Api, PortForward } from "@kubernetes/client-node";
import type { KubeConfig, V1Pod } from "@kubernetes/client-node";
import { openTunnel } from "#simulator/relay/tunnel.ts";
import type { Tunnel } from "#simulator/relay/tunnel.ts";
import { until } from "../waiting.ts";
import { BESIDE_SCENARIOS } from "./kit-placement.ts";
import { KIT_LABEL } from "./kubernetes-watch.ts";

export interface KubernetesRelayOptions {
  /** Must exist; what is made there goes with it. */
  readonly namespace: string;
  /** Of the simulators. */
  readonly image: string;
  readonly signal: AbortSignal;
}

const NAME = "relay";
const PORT = 8091;
const RUNS_MS_MAX = 120_000;

/** The name at which pods of any namespace reach what is exposed. */
export function relayHost(namespace: string): string {
  return `${NAME}.${namespace}.svc`;
}

/**
 * A pod that stands for the servers of this process, and the tunnel to it through the API server: whoever reaches that
 * reaches the pods, and needs no way back from them.
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
      // Headless, and so without a list of ports: its name is the address of the pod.
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
        return await openTunnel(await forwardedPort(config, namespace));
      } catch (error) {
        seen = error;
        return null;
      }
    },
    { deadlineMs: RUNS_MS_MAX, intervalMs: 200, signal, seen: () => String(seen) },
  );
}

/** A connection to the relay's own port, as `kubectl port-forward` makes it. */
async function forwardedPort(config: KubeConfig, namespace: string): Promise<Duplex> {
  const incoming = new PassThrough();
  const outgoing = new PassThrough();
  const said = new PassThrough();
  const socket = await new PortForward(config).portForward(
    namespace,
    NAME,
    [PORT],
    incoming,
    said,
    outgoing,
  );
  const connection = Duplex.from({ readable: incoming, writable: outgoing });
  // What ends before it is done is an error to it; `close` follows.
  connection.on("error", () => {});
  const end = (): void => void connection.destroy();
  // Nothing listens there, or the pod is gone.
  said.once("data", end);
  if ("addEventListener" in socket) socket.addEventListener("close", end);
  connection.once("close", () => "close" in socket && socket.close());
  return connection;
}

function relayPod(image: string): V1Pod {
  return {
    metadata: { name: NAME, labels: { [KIT_LABEL]: NAME } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      ...BESIDE_SCENARIOS,
      securityContext: { runAsUser: 10001, runAsGroup: 10001, runAsNonRoot: true },
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
