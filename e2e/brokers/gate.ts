import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ClientActivity } from "./broker.ts";

export interface GateOptions {
  /** A new connection to what is behind, half open too. Its error ends the client's connection. */
  readonly dial: () => Duplex;
}

const LOOPBACK = "127.0.0.1";
/** Each side may end by itself. */
const HALF_OPEN = { allowHalfOpen: true };

type Listener = (activity: ClientActivity) => void;

/**
 * A port of loopback in front of a listener of a broker, which advertises it: TLS goes through untouched, so that only
 * connections are seen, and can be cut. It is there before the broker is, so its port can be advertised.
 */
export class Gate implements AsyncDisposable {
  readonly port: number;
  readonly #dial: () => Duplex;
  readonly #clients = new Set<Socket>();
  readonly #listeners = new Set<Listener>();
  #activity: ClientActivity[] = [];
  #server: Server | null;

  static async open({ dial }: GateOptions): Promise<Gate> {
    const server = createServer(HALF_OPEN);
    await listening(server, 0);
    return new Gate(server, dial);
  }

  private constructor(server: Server, dial: () => Duplex) {
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

  /** Cuts every connection; gives how many there were. */
  cut(): number {
    const cut = this.#clients.size;
    for (const client of this.#clients) client.resetAndDestroy();
    return cut;
  }

  /** Refuses connections from now on, and cuts those that there are; gives how many. */
  async stop(): Promise<number> {
    const server = this.#server;
    this.#server = null;
    const cut = this.cut();
    if (server !== null) {
      server.close();
      await once(server, "close");
    }
    return cut;
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
    const behind = this.#dial();
    this.#clients.add(client);
    this.#tell("connection-opened", peer);
    client.setNoDelay(true);
    client.pipe(behind);
    behind.pipe(client);
    // What broke off on one side breaks off on the other; an end goes through the pipes, behind what was said before.
    client.on("error", () => {});
    behind.on("error", () => {});
    behind.on("close", () => {
      if (!behind.readableEnded) client.resetAndDestroy();
    });
    client.on("close", () => {
      if (!client.readableEnded) behind.destroy();
      this.#clients.delete(client);
      this.#tell("connection-closed", peer);
    });
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
  if (address === null || typeof address === "string") throw new Error("the gate has no port");
  return address.port;
}
