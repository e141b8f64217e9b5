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
  /**
   * The port on which the tunnel is awaited, at loopback: a forwarded port of a pod connects from
   * there. Defaults to 0, which takes any free port.
   */
  readonly port?: number;
  /** The address on which ports are opened. Defaults to every address. */
  readonly host?: string;
}

export interface RunningRelay extends AsyncDisposable {
  /** The port on which the tunnel is awaited. */
  readonly port: number;
}

const portsSchema = z.array(z.int().min(1).max(65_535));

/**
 * Starts a relay: it stands in a place that pods can reach, for servers that they cannot reach. The
 * owner of these servers opens one connection to the relay, the tunnel, and says which ports to
 * open. Each connection to such a port becomes a stream of the tunnel. The tunnel is HTTP/2 with
 * the roles exchanged: the relay did not dial, yet it is the client. A later tunnel replaces the
 * one before.
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

/**
 * One tunnel and the ports that are open for it. Its end closes them and resets every connection.
 */
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
    // The event `close` follows every error.
    this.#session.on("error", () => {});
    this.#session.on("close", () => this.#listenOnlyTo([]));
    // The loop ends with the session, whose end is handled above.
    void this.#obey().catch(() => {});
  }

  /**
   * Destroys the connection instead of closing the session, whose streams would then end regularly.
   */
  close(): void {
    this.#socket.destroy();
  }

  /**
   * Each line that arrives is the whole list of ports. Each answer says that they are open, or what
   * failed.
   */
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
    // The socket was accepted before the tunnel ended.
    if (this.#session.destroyed) socket.resetAndDestroy();
    else {
      join(socket, this.#session.request({ ":method": "CONNECT", ":authority": `tunnel:${port}` }));
    }
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return address.port;
}
