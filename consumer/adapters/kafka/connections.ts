import type { Socket } from "node:net";

import kafkajs from "kafkajs";

import { internal } from "./internals.ts";

interface SentRequest {
  readonly entry: { readonly apiName: string };
  /** The time of sending; null while the request waits to be sent. */
  readonly sentAt: number | null;
}

/** One TCP connection. kafkajs has two for each broker: the second one fetches. */
export interface Connection {
  readonly broker: string;
  readonly logger: { warn(message: string, fields: object): void };
  readonly requestQueue: {
    readonly inflight: Map<number, SentRequest>;
    readonly pending: readonly unknown[];
    destroy(): void;
  };
  socket?: Socket;
  authenticatedAt: unknown;
  connectionStatus: string;
  /** The beginning of an answer whose rest has not come yet. */
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  connect(): Promise<boolean>;
  disconnect(): Promise<boolean>;
  send(request: object): Promise<unknown>;
  rejectRequests(error: Error): void;
}

interface Broker {
  readonly connectionPool: { readonly pool: readonly Connection[] };
  isConnected(): boolean;
}

interface BrokerPool {
  readonly brokers: Readonly<Record<string, Broker>>;
  readonly seedBroker?: Broker;
  connect(): Promise<void>;
  createSeedBroker(): Promise<void>;
  findBroker(options: { nodeId: string }): Promise<Broker>;
  findConnectedBroker(): Promise<Broker | undefined>;
  refreshMetadata(topics: readonly string[]): Promise<void>;
  withBroker(
    callback: (found: { nodeId: string; broker: Broker }) => Promise<unknown>,
  ): Promise<unknown>;
}

/**
 * A broker that leaves a request unanswered for this long, or did so within `DISTRUST_MS`, is asked only when no
 * other is left.
 */
const SILENT_MS = 2000;
const DISTRUST_MS = 30_000;
const SIZE_BYTES = 4;
/** The name of this status in kafkajs. */
const DISCONNECTED = "disconnected";

const failedAtMs = new WeakMap<Connection, number>();

/**
 * Patches src/network/connection: there, a request that timed out leaves its connection open, and the next request
 * uses it too. Here the timeout closes the connection, with all requests that wait on it, and the next request opens
 * a new one.
 */
export function guardConnections(): void {
  const replace = internal<Connection>("network/connection");
  replace("send", (send) => {
    return async function sendOrClose(this: Connection, request) {
      const { socket } = this;
      try {
        const answer = await send.call(this, request);
        failedAtMs.delete(this);
        return answer;
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "KafkaJSRequestTimeoutError") throw error;
        throw closeUnanswered(this, socket, error.message);
      }
    };
  });
  // It waits for requests that are under way, except for fetches and on a silent connection.
  replace("disconnect", (disconnect) => {
    return async function disconnectAtOnce(this: Connection) {
      const { inflight, pending } = this.requestQueue;
      const awaited = [...inflight.values()].filter(({ entry }) => entry.apiName !== "Fetch");
      if (awaited.length + pending.length > 0 && !isSilent(this)) return disconnect.call(this);
      const { broker } = this;
      shut(this, new kafkajs.KafkaJSConnectionError("the connection was closed", { broker }));
      return true;
    };
  });
  replace("connect", (connect) => {
    const opening = new WeakMap<Connection, Promise<boolean>>();
    // One socket is opened at a time: of two, the first would be forgotten, and its end would be taken for that of
    // the second.
    return function connectOnce(this: Connection) {
      if (this.isConnected()) return Promise.resolve(true);
      const present = opening.get(this);
      if (present !== undefined) return present;
      const begun = open(this, connect).finally(() => opening.delete(this));
      opening.set(this, begun);
      return begun;
    };
  });
}

/** Opens a connection. kafkajs waits for ever when the other side ends the connection before it is ready. */
async function open(connection: Connection, connect: Connection["connect"]): Promise<boolean> {
  forgetSocket(connection);
  const { broker } = connection;
  try {
    const opened = connect.call(connection);
    const ended = new Promise<never>((_resolve, reject) => {
      connection.socket?.once("close", () =>
        reject(new kafkajs.KafkaJSConnectionError("closed before it was ready", { broker })),
      );
    });
    return await Promise.race([opened, ended]);
  } catch (error) {
    failedAtMs.set(connection, performance.now());
    forgetSocket(connection);
    throw error;
  }
}

/** Closes the connection, unless its request used another socket. Returns the error for the sender. */
export function closeUnanswered(
  connection: Connection,
  socket: Socket | undefined,
  reason: string,
): Error {
  const { broker, logger } = connection;
  const failure = new kafkajs.KafkaJSConnectionError(reason, { broker, code: "ETIMEDOUT" });
  if (socket === connection.socket && connection.isConnected()) {
    logger.warn("A request was not answered in time: closing its connection", {
      broker,
      error: reason,
    });
    failedAtMs.set(connection, performance.now());
    shut(connection, failure);
  }
  return failure;
}

/** Closes a connection in one step: a request that found it open in between would never be answered nor time out. */
function shut(connection: Connection, reason: Error): void {
  forgetSocket(connection);
  connection.requestQueue.destroy();
  connection.authenticatedAt = null;
  connection.connectionStatus = DISCONNECTED;
  connection.rejectRequests(reason);
}

/** Detaches the socket: whatever it still receives is ignored, and an answer that began on it is dropped. */
function forgetSocket(connection: Connection): void {
  const { socket } = connection;
  if (socket !== undefined) {
    for (const event of ["data", "end", "error", "timeout"]) socket.removeAllListeners(event);
    socket.on("error", () => undefined);
    // The bytes that were written are sent first, when that is possible.
    if (connection.isConnected() && !isSilent(connection)) socket.destroySoon();
    else socket.destroy();
  }
  connection.chunks = [];
  connection.bytesBuffered = 0;
  connection.bytesNeeded = SIZE_BYTES;
}

/**
 * Patches src/cluster/brokerPool: there, metadata and coordinators are asked of any connected broker, even one that
 * does not answer, and a broker that cannot be reached fails the request. Here brokers that answer come first, and on
 * a failure the next one is asked.
 */
export function guardBrokerChoice(): void {
  const replace = internal<BrokerPool>("cluster/brokerPool");
  replace("findConnectedBroker", () => findAnswering);
  replace("refreshMetadata", (refresh) => {
    return async function refreshFromAny(this: BrokerPool, topics) {
      const triesMax = 2 + Object.keys(this.brokers).length;
      for (let tries = 1; ; tries += 1) {
        try {
          await refresh.call(this, topics);
          return;
        } catch (error) {
          if (tries === triesMax || !isConnectionError(error)) throw error;
        }
      }
    };
  });
  replace("withBroker", (withBroker) => {
    return async function withAnswering(this: BrokerPool, callback) {
      const nodeIds = inOrderOfTrust(this.brokers);
      if (nodeIds.length === 0) return withBroker.call(this, callback);
      let failure: unknown;
      for (const nodeId of nodeIds) {
        try {
          return await callback({ nodeId, broker: await this.findBroker({ nodeId }) });
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    };
  });
}

async function findAnswering(this: BrokerPool): Promise<Broker | undefined> {
  for (const nodeId of inOrderOfTrust(this.brokers)) {
    const found = await this.findBroker({ nodeId }).catch(() => undefined);
    if (found !== undefined) return found;
  }
  if (this.seedBroker !== undefined && isDistrusted(this.seedBroker)) await this.createSeedBroker();
  await this.connect();
  return this.seedBroker;
}

/**
 * Orders the brokers: those that are connected and answer, then those that are not connected, then the silent ones;
 * within each group at random.
 */
function inOrderOfTrust(brokers: Readonly<Record<string, Broker>>): string[] {
  const rank = (broker: Broker): number => {
    if (isDistrusted(broker)) return 2;
    return broker.isConnected() ? 0 : 1;
  };
  return Object.entries(brokers)
    .map(([nodeId, broker]) => ({ nodeId, order: rank(broker) + Math.random() }))
    .toSorted((one, other) => one.order - other.order)
    .map(({ nodeId }) => nodeId);
}

function isDistrusted({ connectionPool }: Broker): boolean {
  return connectionPool.pool.some((connection) => {
    const failedMs = failedAtMs.get(connection) ?? Number.NEGATIVE_INFINITY;
    return performance.now() - failedMs < DISTRUST_MS || isSilent(connection);
  });
}

function isSilent({ requestQueue }: Connection): boolean {
  const nowMs = Date.now();
  return [...requestQueue.inflight.values()].some(
    ({ sentAt }) => sentAt !== null && nowMs - sentAt > SILENT_MS,
  );
}

export function isConnectionError(error: unknown): error is Error {
  return error instanceof Error && error.name.startsWith("KafkaJSConnection");
}
