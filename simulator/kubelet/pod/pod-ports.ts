import { ClusterError } from "#simulator/kubelet/errors.ts";
import { leasePort } from "./port-lease.ts";
import type { PortLease } from "./port-lease.ts";
import type { PortReference } from "#simulator/kubelet/validation/supported-fields.ts";
import type { ContainerSpec, PodSpec } from "#simulator/kubelet/validation/supported-pod.ts";
import type { LocalImage } from "#simulator/kubelet/types.ts";

/**
 * The ports of one pod: the host ports leased for its container ports, for as long as the pod
 * lives.
 */
export class PodPorts implements Disposable {
  readonly #leases = new Map<number, PortLease>();

  /** Leases a host port for everything in the pod that may listen. */
  async lease(spec: PodSpec, imageOf: (container: ContainerSpec) => LocalImage): Promise<void> {
    for (const containerPort of usedPorts(spec, imageOf)) {
      this.#leases.set(containerPort, await leasePort());
    }
  }

  entries(): [containerPort: number, hostPort: number][] {
    return [...this.#leases].map(([containerPort, { port }]) => [containerPort, port]);
  }

  /** Returns undefined for a port that the pod does not declare. */
  hostPort(containerPort: number): number | undefined {
    return this.#leases.get(containerPort)?.port;
  }

  [Symbol.dispose](): void {
    for (const lease of this.#leases.values()) {
      lease.release();
    }
    this.#leases.clear();
  }
}

/** Resolves a port number, or the name of a port of the container. */
export function resolvePort(container: ContainerSpec, reference: PortReference): number {
  if (typeof reference === "number") {
    return reference;
  }
  const port = container.ports.find(({ name }) => name === reference)?.containerPort;
  if (port === undefined) {
    throw new ClusterError(`Container ${container.name} has no port named "${reference}".`);
  }
  return port;
}

function usedPorts(
  spec: PodSpec,
  imageOf: (container: ContainerSpec) => LocalImage,
): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const container of [...spec.containers, ...spec.initContainers]) {
    for (const { containerPort } of container.ports) {
      ports.add(containerPort);
    }
    const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
    for (const handler of [
      livenessProbe?.httpGet,
      livenessProbe?.tcpSocket,
      readinessProbe?.httpGet,
      readinessProbe?.tcpSocket,
      startupProbe?.httpGet,
      startupProbe?.tcpSocket,
      lifecycle?.preStop?.httpGet,
      lifecycle?.postStart?.httpGet,
    ]) {
      if (handler !== undefined) {
        ports.add(resolvePort(container, handler.port));
      }
    }
    const variables = imageOf(container).portVariables ?? {};
    for (const [variable, imagePort] of Object.entries(variables)) {
      const given = Number(container.env.find(({ name }) => name === variable)?.value);
      ports.add(Number.isInteger(given) && given > 0 ? given : imagePort);
    }
  }
  return ports;
}
