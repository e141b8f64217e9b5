import { ClusterError } from "#simulator/kubelet/errors.ts";
import type { EventLog } from "./event-log.ts";
import type { LocalCluster, WaitOptions } from "#simulator/kubelet/types.ts";

const TIMEOUT_MS_DEFAULT = 30_000;

type Found<T> = Exclude<T, undefined | null | false>;

/** Calls `predicate` now and after every change. Rejects with its error. */
export async function waitForChange<T>(
  cluster: LocalCluster,
  log: EventLog,
  predicate: (cluster: LocalCluster) => T,
  options: WaitOptions = {},
): Promise<Found<T>> {
  const { timeoutMs = TIMEOUT_MS_DEFAULT, signal, description = "a condition" } = options;
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Found<T>>();
  const look = (): void => {
    try {
      const found = predicate(cluster);
      if (isFound(found)) {
        resolve(found);
      }
    } catch (error) {
      reject(error);
    }
  };
  const abort = (): void => {
    reject(signal?.reason);
  };
  const timer = setTimeout(() => {
    reject(
      new ClusterError(
        `Waited ${timeoutMs} ms in vain for ${description}. Pods: ${summarize(cluster)}`,
      ),
    );
  }, timeoutMs);
  signal?.addEventListener("abort", abort, { once: true });
  const unsubscribe = log.onChange(look);
  look();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    unsubscribe();
  }
}

function isFound<T>(value: T): value is Found<T> {
  return value !== undefined && value !== null && value !== false;
}

function summarize(cluster: LocalCluster): string {
  const pods = cluster.pods().map(({ metadata, status }) => {
    const containers = [
      ...(status?.initContainerStatuses ?? []),
      ...(status?.containerStatuses ?? []),
    ].map(({ name, ready, restartCount, state }) => {
      const text =
        state?.waiting?.reason ??
        (state?.terminated === undefined ? "Running" : `exit ${state.terminated.exitCode}`);
      return `${name} ${text}${ready ? " ready" : ""} restarts ${restartCount}`;
    });
    const terminating = metadata?.deletionTimestamp === undefined ? "" : " terminating";
    return `${metadata?.name} ${status?.phase}${terminating} (${containers.join("; ")})`;
  });
  return pods.length === 0 ? "none" : pods.join(", ");
}
