import { runCommand } from "#kind/command.ts";
import type { Engine } from "#kind/engine.ts";
import type { NodeAccess } from "./kubernetes-nodes.ts";

/** The nodes of a kind cluster are containers of this host's engine, and containerd runs in each. */
export function kindNodes(engine: Engine): NodeAccess {
  const tasks = async (node: string, ...argv: string[]): Promise<void> => {
    const containerd = ["ctr", "--namespace", "k8s.io", "tasks"];
    await runCommand(engine, ["exec", node, ...containerd, ...argv]);
  };
  return {
    signal: (node, containerId, signal) => tasks(node, "kill", "--signal", signal, containerId),
    pause: (node, containerId) => tasks(node, "pause", containerId),
    unpause: (node, containerId) => tasks(node, "resume", containerId),
    pauseNode: async (node) => void (await runCommand(engine, ["pause", node])),
    unpauseNode: async (node) => void (await runCommand(engine, ["unpause", node])),
  };
}
