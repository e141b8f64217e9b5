import { UsageError } from "#simulator/process/command.ts";
import { OMEGA_JOBS } from "./manifests/identities.ts";
import type { OmegaJob } from "./manifests/identities.ts";
import { clusterOf } from "./manifests/render.ts";
import type { Omega } from "./document/schema.ts";

/** A context of a kubeconfig and what it leads to. */
export interface KnownContext {
  readonly name: string;
  /** Name of its entry under `clusters`. */
  readonly cluster: string;
  /** Address of the API server. */
  readonly server: string;
  /** Whether the server is reached through a proxy, so that its address says nothing about this machine. */
  readonly proxied: boolean;
}

export interface ChoiceOptions {
  readonly omega: Omega;
  readonly job: OmegaJob;
  /** Every context of the kubeconfig. */
  readonly known: readonly KnownContext[];
  /** Value of --force-context. */
  readonly forced: string | undefined;
}

/**
 * Whether the objects of the job may go to that context: to the job's own cluster, by name, to a cluster of kind on this machine, or
 * to any other that --force-context repeats. Gives the kind of cluster that it is. A kubeconfig can call any server by any name: beyond
 * the name, only what contradicts another entry of the same file can be seen. Throws UsageError.
 */
export function chooseCluster(
  { name, cluster, server, proxied }: KnownContext,
  { omega, job, known, forced }: ChoiceOptions,
): "kind" | "other" {
  const isLocal = !proxied && isLoopback(server);
  const isKind = name.startsWith("kind-") && isLocal;
  if (forced !== undefined) {
    if (forced === name) return isKind ? "kind" : "other";
    throw new UsageError(`--force-context must repeat --context, ${name}, got ${forced}`);
  }
  if (isKind) return "kind";
  const force = `; --force-context ${name} takes it all the same`;
  if (name.startsWith("kind-")) {
    throw new UsageError(
      `--context must lead to where it says: ${name} is at ${server}, which is not this machine${force}`,
    );
  }
  const wanted = clusterOf(omega, job);
  if (name !== wanted) {
    throw new UsageError(
      `--context must be ${wanted}, the cluster of ${job}, or a local one of kind, got ${name}${force}`,
    );
  }
  for (const other of OMEGA_JOBS.filter((one) => clusterOf(omega, one) !== wanted)) {
    const foreign = clusterOf(omega, other);
    const isForeign =
      cluster === foreign ||
      known.some((context) => context.name === foreign && context.server === server);
    if (isForeign) {
      throw new UsageError(
        `--context must lead to where it says: ${name} leads to ${foreign}, the cluster of ${other}${force}`,
      );
    }
  }
  return "other";
}

function isLoopback(server: string): boolean {
  if (!URL.canParse(server)) return false;
  const { hostname } = new URL(server);
  return (
    hostname === "localhost" ||
    hostname === "[::1]" ||
    /^(127(\.\d+){3}|0\.0\.0\.0)$/.test(hostname)
  );
}
