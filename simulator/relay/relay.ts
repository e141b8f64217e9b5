import { once } from "node:events";
import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { createInterface } from "node:readline";
import { z } from "zod";
import { join } from "./join.ts";
import { PORTS_PATH, TUNNEL_SETTINGS, widen } from "./protocol.ts";

export interface RelayOptions {
  /** On which the tunnel is awaited, at loopback: what forwards a port of a pod comes from there. Default 0: any free one. */
  readonly port?: number;
  /** Address on which ports are opened. Default: every one. */
  readonly host?: string;
}

export interface RunningRelay extends AsyncDisposable {
  /** On which the tunnel is awaited. */
  readonly port: number;
}

const portsSchema = z.array(z.int().min(1).max(65_535));

/**
 * Stands where pods can reach it for servers that they cannot. Whoever has these opens one connection to the relay, the tunnel, and says
 * which ports to open; each connection to such a port becomes a stream of the tunnel. HTTP/2 with the roles turned round: the
 * relay dialled nothing and is the client. A later tunnel takes the place of the one before.
 */
export async function startRelay(options: RelayOptions = {}): Promise<RunningRelay> {
  let current: OpenTunnel | null = null;
  const server = createServer({ noDelay: true }, (socket) => {
    current?.close();
    current = new OpenTunnel(socket, options.host);
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server),
    [Symbol.asyncDispose]: async () => {
      current?.close();
      server.close();
      await once(server, "close");
    },
  };
}

/** One tunnel and the ports that are open for it. Its end closes them, and resets every connection. */
class OpenTunnel {
  readonly #socket: Socket;
  readonly #session: ClientHttp2Session;
  readonly #host: string | undefined;
  readonly #servers = new Map<number, Server>();

  constructor(socket: Socket, host: string | undefined) {
    this.#socket = socket;
    this.#host = host;
    this.#session = connect("http://tunnel", {
      createConnection: () => socket,
      ...TUNNEL_SETTINGS,
    });
    this.#session.on("connect", widen);
    // Whatever it says, `close` follows.
    this.#session.on("error", () => {});
    this.#session.on("close", () => this.#listenOnlyTo([]));
    // It ends with the session, whose end is seen to above.
    void this.#obey().catch(() => {});
  }

  /** Not by the session, whose streams would end as if they had nothing more to say. */
  close(): void {
    this.#socket.destroy();
  }

  /** Each line that comes is the whole list of ports; each that goes back says that they are open, or why not. */
  async #obey(): Promise<void> {
    const orders = this.#session.request({ ":method": "POST", ":path": PORTS_PATH });
    for await (const line of createInterface(orders)) {
      let failure: string | null = null;
      try {
        await this.#listenTo(portsSchema.parse(JSON.parse(line)));
      } catch (error) {
        failure = String(error);
      }
      if (!orders.destroyed) orders.write(`${JSON.stringify(failure)}\n`);
    }
  }

  async #listenTo(ports: readonly number[]): Promise<void> {
    this.#listenOnlyTo(ports);
    const missing = ports.filter((port) => !this.#servers.has(port));
    await Promise.all(missing.map((port) => this.#listen(port)));
  }

  #listenOnlyTo(ports: readonly number[]): void {
    for (const [port, server] of this.#servers) {
      if (ports.includes(port)) continue;
      server.close();
      this.#servers.delete(port);
    }
  }

  async #listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#pass(socket, port);
    });
    this.#servers.set(port, server);
    server.listen(port, this.#host);
    try {
      await once(server, "listening");
    } catch (error) {
      this.#servers.delete(port);
      throw error;
    }
  }

  #pass(socket: Socket, port: number): void {
    // Accepted before the tunnel ended.
    if (this.#session.destroyed) socket.resetAndDestroy();
    else
      join(socket, this.#session.request({ ":method": "CONNECT", ":authority": `tunnel:${port}` }));
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return address.port;
}
