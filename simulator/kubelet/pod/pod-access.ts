import { readFile, readdir } from "node:fs/promises";
import { request } from "node:http";
import { join, normalize } from "node:path";
import type { ContainerRun } from "#simulator/kubelet/container/container-run.ts";
import { logPath } from "#simulator/kubelet/container/container-run.ts";
import { ClusterError } from "#simulator/kubelet/errors.ts";
import type { PodWorker } from "./pod-worker.ts";
import type { HttpResponse } from "#simulator/kubelet/types.ts";

/** The access of people to a running pod: logs, HTTP and files. */

export function runningContainer(pod: PodWorker, container: string): ContainerRun {
  const run = pod.container(container).current;
  if (run === undefined) {
    throw new ClusterError(`container ${container} of pod ${pod.name} is not running`);
  }
  return run;
}

export async function readLogs(
  pod: PodWorker,
  container: string,
  previous: boolean,
): Promise<string> {
  const runner = pod.container(container);
  const count = previous ? runner.previousRun : runner.restartCount;
  if (count < 0) {
    throw new ClusterError(
      `previous terminated container ${container} in pod ${pod.name} not found`,
    );
  }
  return readFile(logPath(pod.context(), container, count), "utf8").catch(() => "");
}

/**
 * Returns the host port of a container port. Defaults to the first port that a container of the pod
 * declares, or else to the first one leased.
 */
export function leasedPort(pod: PodWorker, containerPort?: number): number {
  const { containers, initContainers } = pod.template.spec;
  const wanted =
    containerPort ??
    [...containers, ...initContainers].flatMap(({ ports }) => ports)[0]?.containerPort ??
    pod.ports.entries()[0]?.[0];
  const hostPort = wanted === undefined ? undefined : pod.ports.hostPort(wanted);
  if (hostPort === undefined) {
    throw new ClusterError(`pod ${pod.name} has no port ${wanted ?? ""} now`);
  }
  return hostPort;
}

const GET_TIMEOUT_MS = 10_000;

export async function getFromPod(
  pod: PodWorker,
  path: string,
  containerPort?: number,
): Promise<HttpResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  const outgoing = request(
    {
      host: "127.0.0.1",
      port: leasedPort(pod, containerPort),
      path,
      agent: false,
      signal: AbortSignal.timeout(GET_TIMEOUT_MS),
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString("utf8"),
        });
      });
    },
  );
  outgoing.once("error", (error) => {
    reject(
      new ClusterError(`GET ${path} from pod ${pod.name}: ${error.message}`, { cause: error }),
    );
  });
  outgoing.end();
  return promise;
}

export async function listDirectory(root: string, path: string): Promise<string[]> {
  return (await readdir(join(root, normalize(`/${path}`)))).toSorted();
}

export async function readVolumeFile(root: string, path: string): Promise<Buffer> {
  return readFile(join(root, normalize(`/${path}`)));
}
