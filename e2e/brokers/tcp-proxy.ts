import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ClientActivity } from "./broker.ts";

export interface TcpProxyOptions {
  /**
   * Opens a new connection to the server behind the proxy, which may be half open. An error ends the client's
   * connection.
   */
  readonly dial: () => Duplex | Promise<Duplex>;
}

const LOOPBACK = "127.0.0.1";
/** Either side may end its direction alone. */
const HALF_OPEN = { allowHalfOpen: true };

type Listener = (activity: ClientActivity) => void;

/**
 * A port of loopback in front of the listener of a broker. TLS passes through unchanged, so the proxy sees only
 * connections, and it can cut them. It exists before the broker does, so that the broker can advertise its port.
 */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #dial: TcpProxyOptions["dial"];
  /** The clients, each with a promise that resolves when its connection has ended and listeners know it. */
  readonly #clients = new Map<Socket, Promise<void>>();
  readonly #listeners = new Set<Listener>();
  #activity: ClientActivity[] = [];
  #server: Server | null;

  static async open({ dial }: TcpProxyOptions): Promise<TcpProxy> {
    const server = createServer(HALF_OPEN);
    await listening(server, 0);
    return new TcpProxy(server, dial);
  }

  private constructor(server: Server, dial: TcpProxyOptions["dial"]) {
    this.port = portOf(server);
    this.#dial = dial;
    this.#server = server;
    server.on("connection", (client) => this.#join(client));
  }

  /** Returns the connections that were opened and closed, oldest first. */
  activity(): readonly ClientActivity[] {
    return [...this.#activity];
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Refuses connections from now on, cuts the existing ones, and returns their number. */
  async stop(): Promise<number> {
    const server = this.#server;
    this.#server = null;
    const closed = server === null ? null : once(server, "close");
    server?.close();
    const ends = [...this.#clients.values()];
    for (const client of this.#clients.keys()) client.destroy();
    await Promise.all(ends);
    await closed;
    return ends.length;
  }

  /** Listens again, on the same port. */
  async serve(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer(HALF_OPEN, (client) => this.#join(client));
    await listening(server, this.port);
    this.#server = server;
  }

  /** Restores the initial state: no connections, no recorded activity, no subscribers. */
  async reset(): Promise<void> {
    this.#listeners.clear();
    await this.stop();
    this.#activity = [];
    await this.serve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #join(client: Socket): void {
    const peer = `${client.remoteAddress}:${client.remotePort}`;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.#clients.set(client, ended);
    this.#notify("connection-opened", peer);
    client.setNoDelay(true);
    client.on("error", () => {});
    client.on("close", () => {
      this.#clients.delete(client);
      this.#notify("connection-closed", peer);
      resolve();
    });
    void this.#connect(client);
  }

  async #connect(client: Socket): Promise<void> {
    let behind: Duplex;
    try {
      behind = await this.#dial();
    } catch {
      client.destroy();
      return;
    }
    // A connection that breaks on one side is broken on the other. A regular end passes through the pipes, after the
    // data before it.
    behind.on("error", () => {});
    behind.on("close", () => {
      if (!behind.readableEnded) client.destroy();
    });
    const onClose = (): void => {
      if (!client.readableEnded) behind.destroy();
    };
    if (client.closed) onClose();
    client.on("close", onClose);
    client.pipe(behind);
    behind.pipe(client);
  }

  #notify(what: string, peer: string): void {
    const activity = { atMs: Date.now(), node: 1, peer, what };
    this.#activity.push(activity);
    for (const listener of this.#listeners) listener(activity);
  }
}

async function listening(server: Server, port: number): Promise<void> {
  server.listen({ host: LOOPBACK, port });
  await once(server, "listening");
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return address.port;
}
