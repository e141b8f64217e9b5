import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { ClusterError } from "#simulator/kubelet/errors.ts";

/** The ports are below the range from which Linux and macOS assign ephemeral ports. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_767;

export interface PortLease {
  readonly port: number;
  release(): void;
}

/**
 * Leases a TCP port that no other lease on this host has, in any process. The lease is a bound UDP
 * socket of the same number: it leaves the TCP port free for the process that is to listen, and the
 * death of the holder frees it.
 */
export async function leasePort(): Promise<PortLease> {
  const span = PORT_MAX - PORT_MIN + 1;
  const first = Math.floor(Math.random() * span);
  for (let step = 0; step < span; step += 1) {
    const port = PORT_MIN + ((first + step * 7) % span);
    const holder = await bindHolder(port);
    if (holder === undefined) {
      continue;
    }
    if ((await canListen(port, "127.0.0.1")) && (await canListen(port, "0.0.0.0"))) {
      return { port, release: () => holder.close() };
    }
    holder.close();
  }
  throw new ClusterError(`No free TCP port between ${PORT_MIN} and ${PORT_MAX}.`);
}

async function bindHolder(port: number): Promise<Socket | undefined> {
  const socket = createSocket("udp4");
  try {
    socket.bind({ address: "127.0.0.1", port, exclusive: true });
    await once(socket, "listening");
    return socket.unref();
  } catch {
    socket.close();
    return undefined;
  }
}

async function canListen(port: number, host: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host, exclusive: true });
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return true;
  } catch {
    return false;
  }
}
