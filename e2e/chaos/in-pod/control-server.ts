import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { toServer } from "./protocol.ts";
import type { ToPod, ToServer } from "./protocol.ts";

/** A process in a pod, from its first line on. */
export interface PodProcess {
  readonly pod: string;
  /** The name of the process. */
  readonly name: string;
  readonly pid: number;
  send(message: ToPod): void;
  /** Aborts when the connection is gone. */
  readonly gone: AbortSignal;
}

export interface ControlHandler {
  /** Called when a process waits for its first state. */
  joined(process: PodProcess): void;
  received(process: PodProcess, message: Exclude<ToServer, { readonly type: "hello" }>): void;
  left(process: PodProcess): void;
  /** Called on an error of the kit, after which the faults cannot be trusted. */
  failed(error: Error): void;
}

export interface ControlServer extends AsyncDisposable {
  readonly port: number;
  /**
   * The token that a process has to present. It guards no secret: it only keeps other programs on the
   * loopback out.
   */
  readonly token: string;
}

/** The longest time for a client to send its first line. */
const HELLO_MS_MAX = 5000;

/** Starts the server on loopback that the preloads of the pods of one deployment connect to. */
export async function startControlServer(handler: ControlHandler): Promise<ControlServer> {
  const token = randomBytes(16).toString("hex");
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serve(socket, token, handler);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("the control server has no port");
  }
  return {
    port: address.port,
    token,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function serve(socket: Socket, token: string, handler: ControlHandler): void {
  const closed = new AbortController();
  let process: PodProcess | undefined;
  const silent = setTimeout(() => socket.destroy(), HELLO_MS_MAX);
  // A reset is followed by "close", as an end is.
  socket.on("error", () => {});
  socket.once("close", () => {
    clearTimeout(silent);
    closed.abort();
    if (process !== undefined) handler.left(process);
  });
  const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
  // readline passes the errors of its input on.
  lines.on("error", () => {});
  lines.on("line", (line) => {
    if (socket.destroyed) return;
    const message = parse(line);
    if (process !== undefined && message === undefined) {
      handler.failed(
        new Error(`pod ${process.pod} sent a line that is not part of the protocol: ${line}`),
      );
    }
    if (process !== undefined && message !== undefined && message.type !== "hello") {
      handler.received(process, message);
      return;
    }
    if (process !== undefined || message?.type !== "hello" || message.token !== token) {
      socket.destroy();
      return;
    }
    clearTimeout(silent);
    const { pod, pid, process: name, lost } = message;
    if (lost > 0) {
      handler.failed(
        new Error(
          `process ${pid} of pod ${pod} lost its control connection (${lost} times): its faults were not in force ` +
            `meanwhile`,
        ),
      );
    }
    process = {
      pod,
      name,
      pid,
      gone: closed.signal,
      send: (reply) => void socket.write(`${JSON.stringify(reply)}\n`),
    };
    handler.joined(process);
  });
}

/** Returns undefined for a line that is not part of the protocol. */
function parse(line: string): ToServer | undefined {
  try {
    return toServer.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
