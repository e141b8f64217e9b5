import { UsageError } from "#simulator/process/command.ts";
import { OMEGA_JOBS } from "./manifests/identities.ts";
import type { OmegaJob } from "./manifests/identities.ts";
import { clusterOf } from "./manifests/render.ts";
import type { Omega } from "./document/schema.ts";

/** A context of a kubeconfig and the cluster that it leads to. */
export interface KnownContext {
  readonly name: string;
  /** The name of its entry under `clusters`. */
  readonly cluster: string;
  /** The address of the API server. */
  readonly server: string;
  /**
   * True when the server is reached through a proxy, so that its address says nothing about this
   * machine.
   */
  readonly proxied: boolean;
}

export interface ChoiceOptions {
  readonly omega: Omega;
  readonly job: OmegaJob;
  /** Every context of the kubeconfig. */
  readonly known: readonly KnownContext[];
  /** The value of --force-context. */
  readonly forced: string | undefined;
}

/**
 * Decides whether the objects of the job may go to that context, and returns the kind of its
 * cluster: the job's own cluster, by name, a cluster of kind on this machine, or any other that
 * --force-context repeats. A kubeconfig can give any server any name. Beyond the name, only
 * contradictions with other entries of the same file can be noticed. Throws UsageError.
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
  const force = `; --force-context ${name} accepts it`;
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
