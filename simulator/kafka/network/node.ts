import type { ClusterState, Endpoint, NodeView } from "#simulator/kafka/cluster/cluster-state.ts";
import { Listener } from "./listener.ts";

/** One node with its listeners. The data belongs to the cluster and outlives the node. */
export class Node implements NodeView {
  readonly id: number;
  readonly #listeners: readonly Listener[];
  #alive = false;

  /** `nextConnection` numbers the connections of the whole cluster. */
  constructor(id: number, cluster: ClusterState, nextConnection: () => number) {
    this.id = id;
    this.#listeners = cluster.settings.listeners.map(
      (options) => new Listener(options, id, cluster, nextConnection),
    );
  }

  get alive(): boolean {
    return this.#alive;
  }

  endpoint(listener: string): Endpoint | undefined {
    const found = this.#listeners.find((candidate) => candidate.options.name === listener);
    if (found === undefined) return undefined;
    const { advertisedHost, host } = found.options;
    return { host: advertisedHost ?? host ?? "127.0.0.1", port: found.port };
  }

  /** Listens, and after `kill` on the same ports as before. Throws the error of listen(2). */
  async start(): Promise<void> {
    if (this.#alive) return;
    this.#alive = true;
    await Promise.all(this.#listeners.map((listener) => listener.open()));
  }

  /**
   * Cuts every socket, and closes the ports until `start`. Returns the number of sockets that were
   * cut.
   */
  async kill(): Promise<number> {
    this.#alive = false;
    const cut = await Promise.all(this.#listeners.map((listener) => listener.close()));
    return cut.reduce((sum, count) => sum + count, 0);
  }
}
