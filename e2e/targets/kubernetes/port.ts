import { Duplex, PassThrough } from "node:stream";
import { PortForward } from "@kubernetes/client-node";
import type { KubeConfig } from "@kubernetes/client-node";

/** Opens a connection to a port of a pod, as `kubectl port-forward` does. */
export async function forwardedPort(
  config: KubeConfig,
  place: { readonly namespace: string; readonly pod: string; readonly port: number },
): Promise<Duplex> {
  const incoming = new PassThrough();
  const outgoing = new PassThrough();
  const said = new PassThrough();
  const socket = await new PortForward(config).portForward(
    place.namespace,
    place.pod,
    [place.port],
    incoming,
    said,
    outgoing,
  );
  const connection = Duplex.from({ readable: incoming, writable: outgoing });
  // An early end is reported as an error. The event `close` follows it.
  connection.on("error", () => {});
  const end = (): void => void connection.destroy();
  // The message means that nothing listens on the port, or that the pod is gone.
  said.once("data", end);
  if ("addEventListener" in socket) socket.addEventListener("close", end);
  connection.once("close", () => "close" in socket && socket.close());
  return connection;
}
