import { constants, performServerHandshake } from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { z } from "zod";
import { join } from "./join.ts";
import { PORTS_PATH, TUNNEL_SETTINGS, widen } from "./protocol.ts";

const failureSchema = z.string().nullable();

/** The end of the tunnel beside the servers. */
export interface Tunnel extends AsyncDisposable {
  /**
   * Opens these ports at the relay until the result is disposed of. Only exposed ports are
   * connected to, whatever the relay asks for. Throws when the relay cannot listen there, or when
   * the tunnel is lost.
   */
  expose(ports: readonly number[]): Promise<AsyncDisposable>;
  /** Aborts when the tunnel ends before it is disposed of. Every connection has then been reset. */
  readonly lost: AbortSignal;
}

export interface TunnelOptions {
  /** The address of the servers. Defaults to 127.0.0.1. */
  readonly host?: string;
}

/**
 * Opens a tunnel. `connection` leads to the port of a relay (`startRelay`). Resolves when the relay
 * has answered, and throws when the connection ends before.
 */
export async function openTunnel(connection: Duplex, options: TunnelOptions = {}): Promise<Tunnel> {
  const session = performServerHandshake(connection, TUNNEL_SETTINGS);
  session.on("connect", widen);
  const tunnel = new RelayTunnel(connection, session, options.host ?? "127.0.0.1");
  await tunnel.begun;
  return tunnel;
}

class RelayTunnel implements Tunnel {
  /** Resolves when the relay has asked for its orders. */
  readonly begun: Promise<void>;
  readonly #connection: Duplex;
  readonly #session: ServerHttp2Session;
  readonly #host: string;
  readonly #exposed = new Set<number>();
  readonly #lost = new AbortController();
  /** The calls that wait for an answer of the relay, in the order of their orders. */
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #orders: ServerHttp2Stream | null = null;
  #disposed = false;

  constructor(connection: Duplex, session: ServerHttp2Session, host: string) {
    this.#connection = connection;
    this.#session = session;
    this.#host = host;
    const begun = Promise.withResolvers<void>();
    this.begun = begun.promise;
    session.on("stream", (stream, headers) => {
      if (headers[":path"] === PORTS_PATH) {
        this.#takeOrders(stream);
        begun.resolve();
      } else {
        this.#connect(stream, headers);
      }
    });
    let cause: unknown;
    session.on("error", (error) => (cause = error));
    session.on("close", () => {
      const ended = new Error(
        "the tunnel to the relay has ended: its pod is gone, or the way to it",
        { cause },
      );
      begun.reject(ended);
      for (const { reject } of this.#waiting.splice(0)) reject(ended);
      if (!this.#disposed) this.#lost.abort(ended);
    });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async expose(ports: readonly number[]): Promise<AsyncDisposable> {
    const withdraw = async (): Promise<void> => {
      for (const port of ports) this.#exposed.delete(port);
      // When the tunnel is gone, the ports are gone too.
      if (!this.#session.closed) await this.#order();
    };
    for (const port of ports) this.#exposed.add(port);
    try {
      await this.#order();
    } catch (error) {
      await withdraw().catch(() => {});
      throw error;
    }
    return { [Symbol.asyncDispose]: withdraw };
  }

  /** Tells the relay the current list of ports and resolves when the relay has confirmed it. */
  async #order(): Promise<void> {
    this.#lost.signal.throwIfAborted();
    const answered = Promise.withResolvers<void>();
    this.#waiting.push(answered);
    this.#orders?.write(`${JSON.stringify([...this.#exposed])}\n`);
    await answered.promise;
  }

  #takeOrders(stream: ServerHttp2Stream): void {
    this.#orders = stream;
    stream.respond();
    const answers = createInterface(stream);
    // The end of the session is handled above.
    answers.on("error", () => {});
    answers.on("line", (line) => {
      const failure = failureSchema.parse(JSON.parse(line));
      const order = this.#waiting.shift();
      if (failure === null) order?.resolve();
      else order?.reject(new Error(`the relay: ${failure}`));
    });
  }

  #connect(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const port = Number(/:(\d+)$/.exec(headers[":authority"] ?? "")?.[1]);
    if (headers[":method"] !== "CONNECT" || !this.#exposed.has(port)) {
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    stream.respond();
    join(createConnection({ port, host: this.#host, allowHalfOpen: true, noDelay: true }), stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    if (this.#session.destroyed) return;
    // `once` of node:events would reject with the error of a connection that is cut.
    const closed = new Promise<void>((resolve) => void this.#session.once("close", resolve));
    // Destroys the connection instead of closing the session, whose streams would then end
    // regularly.
    this.#connection.destroy();
    await closed;
  }
}
