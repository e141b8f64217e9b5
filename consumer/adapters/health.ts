import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { ConsumerError } from "#consumer/errors.ts";
import type { HealthReports, HealthServer, Log } from "#consumer/ports.ts";
import type { MetricsRegistry } from "./metrics.ts";

export interface HealthOptions {
  readonly host: string;
  /** The port; 0 chooses any free one, and the log says which. */
  readonly port: number;
  readonly metrics: Pick<MetricsRegistry, "exposition">;
  readonly log: Log;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The longest time for a client to send its request and to read its answer, in milliseconds. */
const REQUEST_MS_MAX = 5000;
const LIMITS = {
  headersTimeout: REQUEST_MS_MAX,
  requestTimeout: REQUEST_MS_MAX,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8192,
};
/** The largest number of open connections; a kubelet and a few scrapers have one each. */
const CONNECTIONS_MAX = 64;

/**
 * Creates the server. GET /livez and /readyz answer 200 or 503 with JSON, GET /metrics answers Prometheus text.
 * `serve` rejects with "bad-configuration" when the address cannot be had.
 */
export function createHealthServer(options: HealthOptions): HealthServer {
  return {
    async serve(reports) {
      const server = createServer(LIMITS, (request, response) => {
        void answer(request, reports, options).then((result) => send(response, result));
      });
      boundConnections(server);
      const port = await listen(server, options);
      options.log.info("health.listening", { host: options.host, port });
      return {
        async [Symbol.asyncDispose]() {
          const closed = once(server, "close");
          server.close();
          server.closeAllConnections();
          await closed;
        },
      };
    },
  };
}

/**
 * Bounds the number of connections. A new one beyond the bound closes the oldest: if the newest was refused, idle
 * connections could shut the kubelet out.
 */
function boundConnections(server: Server): void {
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    const [oldest] = open;
    if (open.size > CONNECTIONS_MAX) oldest?.destroy();
    if (oldest?.destroyed === true) open.delete(oldest);
    // This also closes a connection on which nothing is read or sent any more.
    socket.setTimeout(2 * REQUEST_MS_MAX, () => socket.destroy());
  });
}

async function listen(server: Server, { host, port }: HealthOptions): Promise<number> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConsumerError(
      "bad-configuration",
      `health.host and health.port: cannot listen at ${host}:${String(port)}: ${reason}`,
      { cause },
    );
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

async function answer(
  request: IncomingMessage,
  reports: HealthReports,
  { log, metrics }: HealthOptions,
): Promise<Answer> {
  const path = (request.url ?? "/").split("?", 1)[0];
  if (request.method !== "GET" && request.method !== "HEAD") {
    return text(405, "only GET and HEAD\n");
  }
  try {
    if (path === "/livez") {
      const report = reports.liveness();
      return json(report.alive ? 200 : 503, report);
    }
    if (path === "/readyz") {
      const report = reports.readiness();
      return json(report.ready ? 200 : 503, report);
    }
    if (path === "/metrics") {
      const { contentType, text: body } = await metrics.exposition();
      return { status: 200, contentType, body };
    }
  } catch (error) {
    log.error("health.failed", { path, error });
    return text(500, "internal error\n");
  }
  return text(404, "known are /livez, /readyz and /metrics\n");
}

function json(status: number, report: unknown): Answer {
  return { status, contentType: "application/json", body: `${JSON.stringify(report)}\n` };
}

function text(status: number, body: string): Answer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(body);
}
