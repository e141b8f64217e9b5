import { createServer as createTcpServer } from "node:net";
import type { Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import type { ListenerOptions, ListenerTls } from "#simulator/kafka/cluster/options.ts";
import { ANONYMOUS, Session } from "#simulator/kafka/security/session.ts";
import type { ConnectionEvent } from "#simulator/kafka/cluster/broker-events.ts";
import { serveConnection } from "./connection.ts";
import type { Connection, ConnectionPlace } from "./connection.ts";

interface Accepted {
  readonly socket: Socket;
  readonly place: ConnectionPlace;
  connection: Connection | undefined;
  tlsError: string | undefined;
}

/** One listener of one node: a port and the sockets that it accepted. */
export class Listener {
  readonly options: ListenerOptions;
  readonly #node: number;
  readonly #cluster: ClusterState;
  readonly #nextConnection: () => number;
  /** The accepted sockets by the client's address and port, which identify a TLS socket. */
  readonly #accepted = new Map<string, Accepted>();
  #server: Server | undefined;
  #port: number;

  constructor(
    options: ListenerOptions,
    node: number,
    cluster: ClusterState,
    nextConnection: () => number,
  ) {
    this.options = options;
    this.#node = node;
    this.#cluster = cluster;
    this.#nextConnection = nextConnection;
    this.#port = options.ports?.[node - 1] ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens, the second time on the port of the first. Throws the error of listen(2). */
  async open(): Promise<void> {
    const server = this.#create();
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: this.options.host ?? "127.0.0.1", port: this.#port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    const address = server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
  }

  /** Cuts every socket and frees the port. Returns the number of sockets that were cut. */
  async close(): Promise<number> {
    const server = this.#server;
    if (server === undefined) return 0;
    this.#server = undefined;
    const cut = this.#accepted.size;
    const closed = [closeOf(server)];
    server.close();
    for (const { socket, connection } of this.#accepted.values()) {
      closed.push(closeOf(socket));
      connection?.kill();
      socket.destroy();
    }
    await Promise.all(closed);
    return cut;
  }

  #create(): Server {
    const { tls } = this.options;
    if (tls !== undefined) return this.#createTls(tls);
    const server = createTcpServer();
    server.on("connection", (socket: Socket) => {
      this.#serve(this.#accept(socket), socket, ANONYMOUS);
    });
    return server;
  }

  #createTls(tls: ListenerTls): Server {
    const wanted = tls.clientCertificate ?? "none";
    const server = createTlsServer({
      cert: tls.cert,
      key: tls.key,
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      requestCert: wanted !== "none",
      rejectUnauthorized: wanted === "required",
    });
    server.on("connection", (socket: Socket) => void this.#accept(socket));
    server.on("secureConnection", (socket: TLSSocket) => {
      const accepted = this.#accepted.get(peerOf(socket));
      if (accepted === undefined) socket.destroy();
      else this.#serve(accepted, socket, certifiedPrincipal(socket));
    });
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      const accepted = this.#accepted.get(peerOf(socket));
      if (accepted !== undefined) accepted.tlsError = error.message;
      socket.destroy();
    });
    return server;
  }

  #accept(socket: Socket): Accepted {
    const peer = peerOf(socket);
    const place = {
      node: this.#node,
      listener: this.options.name,
      connection: this.#nextConnection(),
      peer,
    };
    const accepted: Accepted = { socket, place, connection: undefined, tlsError: undefined };
    this.#accepted.set(peer, accepted);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.#accepted.get(peer) === accepted) this.#accepted.delete(peer);
      if (accepted.connection === undefined) {
        // A refused client certificate raises no error of its own.
        this.#emit(accepted, {
          type: "tls-failed",
          reason: accepted.tlsError ?? "the handshake was not completed",
        });
      }
      const reason = accepted.connection?.closeReason;
      this.#emit(accepted, { type: "connection-closed", reason });
    });
    this.#emit(accepted, { type: "connection-opened" });
    return accepted;
  }

  #serve(accepted: Accepted, socket: Socket, principal: string): void {
    const { mechanisms = [] } = this.options.sasl ?? {};
    const session = new Session(this.#cluster.users, mechanisms, principal, {
      authenticated: (user) => this.#emit(accepted, { type: "authenticated", principal: user }),
      failed: (mechanism) => this.#emit(accepted, { type: "authentication-failed", mechanism }),
    });
    accepted.connection = serveConnection(socket, this.#cluster, session, accepted.place);
  }

  #emit({ place }: Pick<Accepted, "place">, event: ConnectionEvent): void {
    this.#cluster.events.emit({ ...event, ...place, atMs: this.#cluster.timers.nowMs() });
  }
}

/**
 * Resolves at "close". It does not use events.once, which would reject for an error that comes
 * first.
 */
function closeOf(emitter: Server | Socket): Promise<void> {
  return new Promise((resolve) => {
    emitter.once("close", () => resolve());
  });
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
}

/** Returns the common name of a certificate that our authority signed. */
function certifiedPrincipal(socket: TLSSocket): string {
  if (!socket.authorized) return ANONYMOUS;
  const { CN } = socket.getPeerCertificate().subject ?? {};
  return typeof CN === "string" ? `User:${CN}` : ANONYMOUS;
}
