import type { ContainerEvent } from "#e2e/targets/target.ts";

export type NodeListener = (event: ContainerEvent) => void;

/** What only the machine can do and tell on which a pod runs. A cluster whose nodes are out of reach has none. */
export interface NodeAccess {
  /** To PID 1 of the container, as the runtime does. `containerId` as the runtime has it, without its scheme. */
  signal(node: string, containerId: string, signal: NodeJS.Signals): Promise<void>;
  /** Freezes every process of the container. */
  pause(node: string, containerId: string): Promise<void>;
  unpause(node: string, containerId: string): Promise<void>;
  /** Freezes everything that runs on the node, its kubelet too. Resolves when it is frozen. */
  pauseNode(node: string): Promise<void>;
  unpauseNode(node: string): Promise<void>;
  /** Tells of the pods of a namespace what no API does, a moment late: that a preStop hook has ended, and which signals were sent. */
  listen(namespace: string, listener: NodeListener): Disposable;
}
