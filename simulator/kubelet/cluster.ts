import { ClusterError } from "./errors.ts";
import type { LocalCluster, LocalClusterOptions } from "./types.ts";

/**
 * Starts an empty cluster of one node whose containers are host processes. Disposing it ends every process,
 * frees the ports and removes its directory; so does the death of this process.
 */
export async function startCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  throw new ClusterError(`Not there yet: ${options.images.length} images.`);
}
