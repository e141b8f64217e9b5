import type {
  KubernetesObject,
  V1Container,
  V1ContainerStatus,
  V1Deployment,
  V1DeploymentSpec,
  V1Pod,
  V1PodSpec,
} from "@kubernetes/client-node";
import { startCluster } from "#simulator/kubelet/cluster/cluster.ts";
import type {
  LifecycleEvent,
  LocalCluster,
  LocalClusterOptions,
} from "#simulator/kubelet/types.ts";

/** One second of a test's cluster, in milliseconds of the host. */
export const SECOND_MS = 100;

/** Entry points of POSIX sh, for tests. */
export const ENTRY = {
  /** Exits with `code` as soon as SIGTERM arrives. */
  endsOnTerm: (code = 0): string[] => [
    "sh",
    "-c",
    `trap 'echo terminated; exit ${code}' TERM; echo started; sleep 1000 & while :; do wait; done`,
  ],
  /** Catches SIGTERM and goes on. */
  ignoresTerm: [
    "sh",
    "-c",
    "trap 'echo deaf' TERM; echo started; while :; do sleep 1000 & wait; done",
  ],
  /** The entry point has no handler: as PID 1 it does not notice SIGTERM. */
  sleeps: ["sleep", "1000"],
  sh: (script: string): string[] => ["sh", "-c", script],
};

export async function startTestCluster(
  options: Partial<LocalClusterOptions> = {},
): Promise<LocalCluster> {
  return startCluster({
    images: [{ name: "shell", directories: ["/work"] }],
    ...options,
    timing: { secondMs: SECOND_MS, ...options.timing },
  });
}

export function container(name: string, fields: Partial<V1Container> = {}): V1Container {
  return { name, image: "shell", command: ENTRY.endsOnTerm(), ...fields };
}

export function pod(name: string, spec: Partial<V1PodSpec> = {}): V1Pod & KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: { containers: [container("a")], ...spec },
  };
}

export function deployment(
  name: string,
  replicas: number,
  pods: Partial<V1PodSpec>,
  fields: Partial<V1DeploymentSpec> = {},
): V1Deployment & KubernetesObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [container("a")], ...pods },
      },
      ...fields,
    },
  };
}

export function isReady(object: V1Pod | undefined): boolean {
  return (
    object?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ??
    false
  );
}

export async function untilReady(cluster: LocalCluster, name: string): Promise<void> {
  await cluster.waitFor(() => isReady(cluster.pod(name)), { description: `${name} Ready` });
}

export async function untilGone(cluster: LocalCluster, name: string): Promise<void> {
  await cluster.waitFor(() => cluster.pod(name) === undefined, { description: `${name} gone` });
}

/** Waits until the container has printed the text. */
export async function untilPrinted(
  cluster: LocalCluster,
  name: string,
  containerName: string,
  text: string,
): Promise<void> {
  const deadlineMs = Date.now() + 10_000;
  while (!(await cluster.logs(name, containerName)).includes(text)) {
    if (Date.now() > deadlineMs) {
      throw new Error(`${containerName} of ${name} never printed "${text}"`);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

export function statusOf(
  object: V1Pod | undefined,
  containerName: string,
): V1ContainerStatus | undefined {
  return [
    ...(object?.status?.initContainerStatuses ?? []),
    ...(object?.status?.containerStatuses ?? []),
  ].find(({ name }) => name === containerName);
}

/** Returns the states of the object at every event, newest last: what a watch would have seen. */
export function watchPod(cluster: LocalCluster, name: string): V1Pod[] {
  const seen: V1Pod[] = [];
  cluster.subscribe(() => {
    const object = cluster.pod(name);
    if (object !== undefined) {
      seen.push(object);
    }
  });
  return seen;
}

type Wanted = Partial<Pick<LifecycleEvent, "name" | "container" | "signal" | "pod">>;

export function lifecycle(cluster: LocalCluster, wanted: Wanted): LifecycleEvent[] {
  return cluster
    .events()
    .filter((event) => event.kind === "lifecycle")
    .filter((event) =>
      (["name", "container", "signal", "pod"] as const).every(
        (key) => wanted[key] === undefined || event[key] === wanted[key],
      ),
    );
}

/** Returns the cluster seconds from one lifecycle event to another, taking the first that match. */
export function secondsBetween(cluster: LocalCluster, from: Wanted, to: Wanted): number {
  const [start] = lifecycle(cluster, from);
  const [end] = lifecycle(cluster, to);
  if (start === undefined || end === undefined) {
    throw new Error(`no ${JSON.stringify(start === undefined ? from : to)} among the events`);
  }
  return (end.monotonicMs - start.monotonicMs) / SECOND_MS;
}

export function reasons(cluster: LocalCluster): string[] {
  return cluster
    .events()
    .filter((event) => event.kind === "event")
    .map(({ reason }) => reason);
}
