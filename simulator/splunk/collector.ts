import { fastify } from "fastify";
import { isJsonObject } from "#consumer/json.ts";

/** One event, with the field names of HEC. */
interface CollectedEvent {
  /** Seconds since the epoch, as in HEC; null when the sender gave no time. */
  readonly time: number | null;
  readonly host: string | null;
  /** The path of the log file. */
  readonly source: string | null;
  /** The line. */
  readonly event: unknown;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The time of arrival, in milliseconds since the epoch. */
  readonly receivedAtMs: number;
}

interface EventFilter {
  /** A suffix of the source. */
  readonly source?: string;
  readonly host?: string;
  /** The name of the forwarder (SPLUNK_CLIENT_NAME). */
  readonly client?: string;
}

/** The operations that scenarios can perform on the collector. */
export interface CollectorControl {
  /**
   * Returns the events in the order of arrival. A batch whose acknowledgement was lost appears
   * twice.
   */
  events(filter?: EventFilter): Promise<readonly CollectedEvent[]>;
  /** Answers 503 until the result is disposed of. */
  outage(): Promise<AsyncDisposable>;
  /** Accepts the next batch and answers 503: the acknowledgement is lost. */
  loseNextAcknowledgement(): Promise<void>;
}

export interface RunningCollector extends AsyncDisposable {
  readonly url: string;
  /** `host:port`, the form of `sidecars.splunk.instance` in omega.yaml and of SPLUNK_INSTANCE. */
  readonly instance: string;
  readonly control: CollectorControl;
}

export interface CollectorOptions {
  /** Defaults to 127.0.0.1. */
  readonly host?: string;
  /** Defaults to 0, which takes any free port. */
  readonly port?: number;
  /** The token that is demanded as `Authorization: Splunk <token>`. By default none is demanded. */
  readonly token?: string;
}

/**
 * Starts a collector of the HTTP Event Collector protocol. Statuses and codes are those of its
 * documentation.
 */
export async function startCollector(options: CollectorOptions = {}): Promise<RunningCollector> {
  const collected: CollectedEvent[] = [];
  let down = false;
  let losing = false;
  const server = fastify({ forceCloseConnections: true, bodyLimit: 8 * 1024 * 1024 });
  // A batch is several JSON objects one after the other, and not one JSON document.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) =>
    done(null, body),
  );

  server.get("/services/collector/health", async (_request, reply) =>
    down
      ? await reply.code(503).send({ text: "HEC is unhealthy, queues are full", code: 18 })
      : { text: "HEC is healthy", code: 17 },
  );

  server.post("/services/collector/event", async (request, reply) => {
    if (down) return await reply.code(503).send({ text: "Server is busy", code: 9 });
    const { authorization } = request.headers;
    if (options.token !== undefined && authorization !== `Splunk ${options.token}`) {
      return authorization === undefined
        ? await reply.code(401).send({ text: "Token is required", code: 2 })
        : await reply.code(403).send({ text: "Invalid token", code: 4 });
    }
    const events = parseBatch(typeof request.body === "string" ? request.body : "");
    if (events === null) {
      return await reply.code(400).send({ text: "Invalid data format", code: 6 });
    }
    if (events.length === 0) return await reply.code(400).send({ text: "No data", code: 5 });
    collected.push(...events);
    if (losing) {
      losing = false;
      return await reply.code(503).send({ text: "Server is busy", code: 9 });
    }
    return { text: "Success", code: 0 };
  });

  // This route is ours: Splunk answers such questions by searches.
  server.get<{ Querystring: EventFilter }>("/simulator/events", ({ query }) =>
    collected.filter((event) => matches(event, query)),
  );

  const url = await server.listen({ host: options.host ?? "127.0.0.1", port: options.port ?? 0 });
  return {
    url,
    instance: new URL(url).host,
    control: {
      events: async (filter = {}) => collected.filter((event) => matches(event, filter)),
      outage: async () => {
        down = true;
        return { [Symbol.asyncDispose]: async () => void (down = false) };
      },
      loseNextAcknowledgement: async () => void (losing = true),
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
    },
  };
}

/** Returns null when a line is not an object with an event. */
function parseBatch(body: string): CollectedEvent[] | null {
  const lines = body.split("\n").filter((line) => line !== "");
  const events = lines.map((line) => parseEvent(line));
  return events.every((event) => event !== null) ? events : null;
}

function parseEvent(line: string): CollectedEvent | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isJsonObject(parsed) || parsed.event === undefined) return null;
  const { time, host, source, event, fields } = parsed;
  return {
    time: typeof time === "number" ? time : null,
    host: typeof host === "string" ? host : null,
    source: typeof source === "string" ? source : null,
    event,
    fields: isJsonObject(fields) ? fields : {},
    receivedAtMs: Date.now(),
  };
}

function matches(event: CollectedEvent, { source, host, client }: EventFilter): boolean {
  return (
    (source === undefined || event.source?.endsWith(source) === true) &&
    (host === undefined || event.host === host) &&
    (client === undefined || event.fields.client === client)
  );
}
