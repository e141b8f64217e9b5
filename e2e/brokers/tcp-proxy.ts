import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ClientActivity } from "./broker.ts";

export interface TcpProxyOptions {
  /** A new connection to what is behind, half open too. Its error ends the client's connection. */
  readonly dial: () => Duplex | Promise<Duplex>;
}

const LOOPBACK = "127.0.0.1";
/** Each side may end by itself. */
const HALF_OPEN = { allowHalfOpen: true };

type Listener = (activity: ClientActivity) => void;

/**
 * A port of loopback in front of a listener of a broker, which advertises it: TLS goes through untouched, so that only
 * connections are seen, and can be cut. It is there before the broker is, so its port can be advertised.
 */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #dial: TcpProxyOptions["dial"];
  /** With the end of each, which is told before it resolves. */
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

  /** Connections that were opened and closed, oldest first. */
  activity(): readonly ClientActivity[] {
    return [...this.#activity];
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Refuses connections from now on, and cuts those that there are; gives how many. */
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

  /** As new: no connection, nothing remembered, nobody told. */
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
    this.#tell("connection-opened", peer);
    client.setNoDelay(true);
    client.on("error", () => {});
    client.on("close", () => {
      this.#clients.delete(client);
      this.#tell("connection-closed", peer);
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
    // What broke off on one side breaks off on the other; an end goes through the pipes, behind what was said before.
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

  #tell(what: string, peer: string): void {
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
