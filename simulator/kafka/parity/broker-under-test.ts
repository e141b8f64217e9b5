import { readFile } from "node:fs/promises";
import { createAuthority } from "#fixtures/certificates.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { WireAddress } from "./wire-connection.ts";

/**
 * True for the embedded broker. It marks what that broker does differently on purpose: each case is
 * a line of DEVIATIONS.md, which the test proves of the real broker.
 */
export const deviates = process.env["PARITY_BOOTSTRAP"] === undefined;

/** The broker that is compared with the contract. */
export interface BrokerUnderTest extends AsyncDisposable {
  readonly plain: WireAddress;
  /** Undefined when no such listener of the broker is known. */
  readonly sasl: SaslAccess | undefined;
  /** The shortest session timeout that a member may ask for, in milliseconds. */
  readonly sessionTimeoutMsMin: number;
}

export interface SaslAccess {
  readonly address: WireAddress;
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
}

/**
 * Opens the broker that `npm run parity` names in the environment (`PARITY_BOOTSTRAP`,
 * `PARITY_SASL_BOOTSTRAP`, `PARITY_TLS_CA`, `PARITY_USERS_FILE`, `PARITY_SESSION_TIMEOUT_MS`), or
 * else the embedded one.
 */
export function openBrokerUnderTest(
  env: NodeJS.ProcessEnv = process.env,
): Promise<BrokerUnderTest> {
  const bootstrap = env["PARITY_BOOTSTRAP"];
  return bootstrap === undefined ? embedded() : external(bootstrap, env);
}

async function embedded(): Promise<BrokerUnderTest> {
  const authority = await createAuthority();
  const { certificatePem: cert, privateKeyPem: key } = await authority.issue({
    commonName: "broker",
    ipAddresses: ["127.0.0.1"],
  });
  const users = { consumer: "consumer-secret" };
  const sessionTimeoutMsMin = 100;
  const cluster = await startKafka({
    nodes: 3,
    listeners: [
      { name: "plain" },
      {
        name: "sasl",
        tls: { cert, key },
        sasl: { mechanisms: ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] },
      },
    ],
    users,
    sessionTimeoutMsMin,
    failedAuthenticationDelayMs: 0,
  });
  return {
    plain: addressOf(cluster.bootstrap("plain")[0]),
    sasl: {
      address: { ...addressOf(cluster.bootstrap("sasl")[0]), ca: authority.certificatePem },
      users,
    },
    sessionTimeoutMsMin,
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

async function external(bootstrap: string, env: NodeJS.ProcessEnv): Promise<BrokerUnderTest> {
  return {
    plain: addressOf(bootstrap),
    sasl: await externalSasl(env),
    sessionTimeoutMsMin: Number(env["PARITY_SESSION_TIMEOUT_MS"] ?? 6000),
    async [Symbol.asyncDispose]() {},
  };
}

async function externalSasl(env: NodeJS.ProcessEnv): Promise<SaslAccess | undefined> {
  const { PARITY_SASL_BOOTSTRAP: bootstrap, PARITY_TLS_CA: ca, PARITY_USERS_FILE: file } = env;
  if (bootstrap === undefined || file === undefined) return undefined;
  const users: Record<string, string> = JSON.parse(await readFile(file, "utf8"));
  const authority = ca === undefined ? {} : { ca: await readFile(ca, "utf8") };
  return { address: { ...addressOf(bootstrap), ...authority }, users };
}

function addressOf(bootstrap = ""): WireAddress {
  const at = bootstrap.lastIndexOf(":");
  return { host: bootstrap.slice(0, at), port: Number(bootstrap.slice(at + 1)) };
}
