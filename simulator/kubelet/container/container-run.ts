import { join } from "node:path";
import { messageOf } from "#consumer/errors.ts";
import type {
  CommandOutput,
  ContainerProcess,
} from "#simulator/kubelet/process/container-process.ts";
import { startProcess } from "#simulator/kubelet/process/container-process.ts";
import { ClusterError } from "#simulator/kubelet/errors.ts";
import { buildEnvironment, expand } from "./environment.ts";
import { stageRoot } from "./image.ts";
import type { PathTable } from "./path-table.ts";
import type { PodContext } from "#simulator/kubelet/pod/pod-context.ts";
import type { ContainerSpec } from "#simulator/kubelet/validation/supported-pod.ts";

/** One run of one container, from its prepared root to the end of its last process. */
export interface ContainerRun {
  readonly process: ContainerProcess;
  readonly containerId: string;
  readonly startedAt: Date;
  /** The start, in cluster time. */
  readonly startedMs: number;
  readonly paths: PathTable;
  /** Executes a command in the container. `argv` is written as in the container. */
  execute(argv: readonly string[], signal?: AbortSignal): Promise<CommandOutput>;
}

export function logPath(pod: PodContext, container: string, restartCount: number): string {
  return join(pod.logsDirectory, pod.podName, `${container}-${restartCount}.log`);
}

/** Starts a run. Throws MissingConfigError, or the error that made the start impossible. */
export async function startRun(
  pod: PodContext,
  spec: ContainerSpec,
  restartCount: number,
): Promise<ContainerRun> {
  const image = pod.imageOf(spec);
  const mounts = new Map(
    spec.volumeMounts.map(({ name, mountPath }) => [mountPath, pod.volumePath(name)] as const),
  );
  const root = await stageRoot({
    image,
    mounts,
    hostPaths: pod.hostPaths,
    directory: join(pod.podDirectory, "containers", spec.name),
  });
  const env = buildEnvironment({
    container: spec,
    image,
    paths: root.paths,
    mountinfoPath: root.mountinfoPath,
    ports: pod.ports,
    podName: pod.podName,
    field: pod.field,
    configMap: pod.configMap,
  });
  const translate = (argv: readonly string[]): string[] => [
    ...(image.commandPrefix ?? []),
    ...argv.map((argument) => root.paths.translate(argument)),
  ];
  const entrypoint = spec.command ?? image.entrypoint ?? [];
  const rest = spec.args ?? (spec.command === undefined ? (image.command ?? []) : []);
  const workingDirectory = spec.workingDir ?? image.workingDirectory;
  const containerId = `${pod.clusterId}/${pod.podUid}/${spec.name}/${restartCount}`;
  const process = await startProcess({
    argv: translate([...entrypoint, ...rest].map((argument) => expand(argument, env))),
    env,
    cwd:
      workingDirectory === undefined
        ? root.directory
        : (root.paths.toHost(workingDirectory) ?? workingDirectory),
    logPath: logPath(pod, spec.name, restartCount),
    marker: containerId,
    watchdog: pod.watchdog,
  }).catch((error: unknown) => {
    throw new ClusterError(
      `failed to create task for container ${spec.name}: ${messageOf(error)}`,
      { cause: error },
    );
  });
  return {
    process,
    containerId,
    startedAt: new Date(),
    startedMs: pod.clock.nowMs(),
    paths: root.paths,
    execute: async (argv, signal) => process.execute(translate(argv), signal),
  };
}
