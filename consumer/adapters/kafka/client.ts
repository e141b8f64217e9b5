import { createRequire } from "node:module";
import { isIP, connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";

import kafkajs from "kafkajs";
import type { AuthenticationProviderArgs, Kafka } from "kafkajs";

import type { Config } from "#consumer/config/load-config.ts";
import type { Credentials, IdentitySource, Log } from "#consumer/ports.ts";
import { isConnectionError } from "./connections.ts";
import { guardKafkajs } from "./guards.ts";
import { createKafkajsLog } from "./log.ts";

export interface KafkaClientOptions {
  readonly kafka: Config["kafka"];
  /** Returns the credentials. It is called at the first connection, and again after the broker refused them. */
  readonly credentials: () => Promise<Credentials>;
  /** Provides the authorities that sign the brokers. */
  readonly identity: IdentitySource;
  readonly log: Log;
}

export interface KafkaClient {
  readonly kafka: Kafka;
  /** Cuts every connection and refuses new ones: whatever kafkajs still waits for fails at once. */
  close(): void;
}

/**
 * Creates a kafkajs client whose sockets and credentials are under our control. `stopping` aborts when its end
 * begins.
 */
export async function createKafkaClient(
  options: KafkaClientOptions,
  stopping: AbortSignal,
): Promise<KafkaClient> {
  guardKafkajs();
  const { kafka, identity } = options;
  const sockets = createSockets(kafka.tls ? (await identity.current()).authority : undefined);
  return {
    close: () => sockets.close(),
    kafka: new kafkajs.Kafka({
      clientId: kafka.clientId,
      brokers: [...kafka.brokers],
      connectionTimeout: kafka.connectTimeoutMs,
      authenticationTimeout: kafka.connectTimeoutMs,
      requestTimeout: kafka.requestTimeoutMs,
      // The retries are few: a client that cannot connect is replaced as a whole, with fresh credentials.
      retry: {
        initialRetryTime: 100,
        maxRetryTime: 1000,
        retries: Math.max(3, kafka.brokers.length),
      },
      ssl: kafka.tls,
      sasl: authentication(options),
      socketFactory: ({ host, port, onConnect }) => sockets.open(host, port, onConnect),
      logLevel: kafkajs.logLevel.INFO,
      logCreator: () => createKafkajsLog(options.log, stopping),
    }),
  };
}

interface Sockets {
  open(host: string, port: number, onConnect: () => void): Socket;
  close(): void;
}

const KEEP_ALIVE_DELAY_MS = 60_000;

function createSockets(authority: string | undefined): Sockets {
  const open = new Set<Socket>();
  let closed = false;
  return {
    open(host, port, onConnect) {
      const socket =
        authority === undefined
          ? connectTcp({ host, port }, onConnect)
          : connectTls(
              { host, port, ca: authority, ...(isIP(host) === 0 ? { servername: host } : {}) },
              onConnect,
            );
      // Requests are small and several are under way: Nagle's algorithm would hold one back until another was
      // acknowledged.
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      if (closed) {
        cut(socket);
      }
      return socket;
    },
    close() {
      closed = true;
      for (const socket of open) {
        cut(socket);
      }
    },
  };
}

/**
 * Destroys a socket. kafkajs listens to "error" and "end", never to "close": without an error it would wait on,
 * unless it has ended the connection itself.
 */
function cut(socket: Socket): void {
  if (socket.writableEnded) {
    socket.destroy();
  } else {
    socket.on("error", () => undefined);
    socket.destroy(new Error("the client is closed"));
  }
}

/**
 * Authenticates by SCRAM with credentials that can change, whereas kafkajs takes them once, at the start. Credentials
 * that the broker refuses are forgotten, so that the next connection fetches them again. When they had been accepted
 * before, the password was rotated: the refusal then counts as a broken connection, and the member goes on with the
 * new password.
 */
function authentication({ kafka, credentials }: KafkaClientOptions) {
  let present: Promise<Credentials> | undefined;
  const proven = new WeakSet<Promise<Credentials>>();
  return {
    mechanism: kafka.sasl.mechanism,
    authenticationProvider: (connection: AuthenticationProviderArgs) => ({
      async authenticate() {
        const asked = (present ??= credentials());
        let broken: Error | undefined;
        const saslAuthenticate: typeof connection.saslAuthenticate = async (request) => {
          try {
            return await connection.saslAuthenticate(request);
          } catch (error) {
            if (isConnectionError(error)) broken = error;
            throw error;
          }
        };
        try {
          await scramSha512(await asked)({ ...connection, saslAuthenticate }).authenticate();
          proven.add(asked);
        } catch (error) {
          // Nothing was refused: kafkajs takes any error in between for a wrong password.
          if (broken !== undefined) throw broken;
          if (present === asked) {
            present = undefined;
          }
          if (!proven.has(asked)) {
            throw error;
          }
          throw new kafkajs.KafkaJSConnectionError("the password was good before: asking again", {
            broker: `${connection.host}:${String(connection.port)}`,
          });
        }
      },
    }),
  };
}

/** kafkajs chooses its own authenticators by name only, with fixed credentials. */
const scramSha512: (
  credentials: Credentials,
) => (connection: AuthenticationProviderArgs) => { authenticate(): Promise<void> } = createRequire(
  import.meta.url,
)("kafkajs/src/broker/saslAuthenticator/scram512");
