import { pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { alterUserScramCredentialsV0, Connection } from "@platformatic/kafka";
import { until } from "#e2e/base/waiting.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import type { TcpProxyOptions } from "./tcp-proxy.ts";
import { createKafka } from "./kafka-clients.ts";

/** The TLS settings by which an administrator's listener recognizes the kit. */
export interface AdministratorTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface ScramUsersOptions {
  /** The loopback port of a listener that accepts administrators by their certificate. */
  readonly port: number;
  readonly tls: AdministratorTls;
  /** Opens a connection to a listener at which these users log in. */
  readonly dial: TcpProxyOptions["dial"];
}

const LOOPBACK = "127.0.0.1";
/** The number of the mechanism in the protocol (KIP-554). */
const SCRAM_SHA_512 = 2;
/** The fewest iterations that brokers accept. */
const ITERATIONS = 4096;
const HASH_BYTES = 64;
const LOGIN_MS_MAX = 30_000;

const derive = promisify(pbkdf2);

/**
 * Manages users with SCRAM-SHA-512 at a real broker. The broker never sees a password, only the values that are derived
 * from it. Apache Kafka has this API since version 2.7, Redpanda since 25.2.
 */
export class ScramUsers {
  readonly #options: ScramUsersOptions;

  constructor(options: ScramUsersOptions) {
    this.#options = options;
  }

  /**
   * Makes the user or changes its password. Resolves when the user can log in with the password, which is a moment
   * later.
   */
  async set(user: string, password: string): Promise<void> {
    const { port, tls } = this.#options;
    const salt = randomBytes(24);
    const saltedPassword = await derive(password, salt, ITERATIONS, HASH_BYTES, "sha512");
    const connection = new Connection("kafka-consumer-kit", { tls: { ...tls } });
    try {
      await connection.connect(LOOPBACK, port);
      const change = { name: user, mechanism: SCRAM_SHA_512, iterations: ITERATIONS };
      await alterUserScramCredentialsV0.api.async(
        connection,
        [],
        [{ ...change, salt, saltedPassword }],
      );
    } finally {
      await connection.close();
    }
    let refusal: unknown;
    await until(
      `the password of ${user} is good`,
      async () =>
        await this.#login(user, password).catch((error: unknown) => {
          refusal = error;
          return false;
        }),
      { deadlineMs: LOGIN_MS_MAX, intervalMs: 20, seen: () => String(refusal) },
    );
  }

  async #login(username: string, password: string): Promise<true> {
    const { dial, tls } = this.#options;
    await using proxy = await TcpProxy.open({ dial });
    const admin = createKafka({
      brokers: [`${LOOPBACK}:${proxy.port}`],
      ssl: { ca: tls.ca },
      sasl: { mechanism: "scram-sha-512", username, password },
      retry: { retries: 0 },
    }).admin();
    try {
      await admin.connect();
      return true;
    } finally {
      await admin.disconnect();
    }
  }
}
