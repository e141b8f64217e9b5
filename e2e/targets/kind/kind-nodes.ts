import type { KindCluster } from "#kind/cluster.ts";
import { runCommand } from "#kind/command.ts";
import { followJournal } from "./kind-journal.ts";
import type { NodeAccess, NodeListener } from "#e2e/targets/kubernetes/nodes.ts";

/** Gives access to the nodes of a kind cluster, which are containers of this host's engine with containerd in each. */
export async function startKindNodes(cluster: KindCluster): Promise<NodeAccess & AsyncDisposable> {
  const { engine } = cluster;
  const listeners = new Map<string, NodeListener>();
  await using starting = new AsyncDisposableStack();
  for (const node of await cluster.nodes()) {
    const onEvent: Parameters<typeof followJournal>[2] = ({ namespace, event }) => {
      listeners.get(namespace)?.(event);
    };
    starting.use(followJournal(engine, node, onEvent));
  }
  const tasks = async (node: string, ...argv: string[]): Promise<void> => {
    const containerd = ["ctr", "--namespace", "k8s.io", "tasks"];
    await runCommand(engine, ["exec", node, ...containerd, ...argv]);
  };
  const stack = starting.move();
  return {
    signal: (node, containerId, signal) => tasks(node, "kill", "--signal", signal, containerId),
    pause: (node, containerId) => tasks(node, "pause", containerId),
    unpause: (node, containerId) => tasks(node, "resume", containerId),
    pauseNode: async (node) => void (await runCommand(engine, ["pause", node])),
    unpauseNode: async (node) => void (await runCommand(engine, ["unpause", node])),
    listen: (namespace, listener) => {
      listeners.set(namespace, listener);
      return { [Symbol.dispose]: () => void listeners.delete(namespace) };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
