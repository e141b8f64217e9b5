import type { ContainerEvent } from "#e2e/targets/target.ts";

export type NodeListener = (event: ContainerEvent) => void;

/**
 * Access to the machines on which pods run, for what no API offers. A cluster whose nodes are out of reach has none.
 */
export interface NodeAccess {
  /**
   * Sends a signal to PID 1 of the container, as the runtime does. `containerId` is the id of the runtime without its
   * scheme.
   */
  signal(node: string, containerId: string, signal: NodeJS.Signals): Promise<void>;
  /** Freezes every process of the container. */
  pause(node: string, containerId: string): Promise<void>;
  unpause(node: string, containerId: string): Promise<void>;
  /** Freezes everything that runs on the node, including its kubelet. Resolves when the node is frozen. */
  pauseNode(node: string): Promise<void>;
  unpauseNode(node: string): Promise<void>;
  /**
   * Reports events of the pods in a namespace that no API reports, a moment late: the end of preStop hooks and the
   * signals that were sent.
   */
  listen(namespace: string, listener: NodeListener): Disposable;
}
