import { Duplex, PassThrough } from "node:stream";
import { PortForward } from "@kubernetes/client-node";
import type { KubeConfig } from "@kubernetes/client-node";

/** A connection to a port of a pod, as `kubectl port-forward` makes it. */
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
  // What ends before it is done is an error to it; `close` follows.
  connection.on("error", () => {});
  const end = (): void => void connection.destroy();
  // Nothing listens there, or the pod is gone.
  said.once("data", end);
  if ("addEventListener" in socket) socket.addEventListener("close", end);
  connection.once("close", () => "close" in socket && socket.close());
  return connection;
}
