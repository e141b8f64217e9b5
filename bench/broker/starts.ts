import { once } from "node:events";
import { createServer } from "node:tls";
import { Connection, metadataV12 } from "@platformatic/kafka";
import { createAuthority } from "#fixtures/certificates.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import { CREDENTIALS } from "../records/options.ts";

export const NODES = 3;

export interface StartOptions {
  readonly rounds: number;
}

/** Milliseconds by round; the first round of a process runs cold code. */
export interface Starts {
  /** The time until every node listens. */
  readonly listening: readonly number[];
  /**
   * The time from the same beginning until a client has its first Metadata response through TLS and
   * SCRAM-SHA-512.
   */
  readonly metadata: readonly number[];
  /** The same number of TLS servers that speak no protocol. */
  readonly bareServers: readonly number[];
}

type Listener = NonNullable<Parameters<typeof startKafka>[0]>["listeners"];

export async function starts({ rounds }: StartOptions): Promise<Starts> {
  const authority = await createAuthority();
  const leaf = await authority.issue({ commonName: "broker", ipAddresses: ["127.0.0.1"] });
  const tls = { cert: leaf.certificatePem, key: leaf.privateKeyPem };
  const listeners = [{ name: "secure", tls, sasl: { mechanisms: ["SCRAM-SHA-512"] } }] as const;
  const measured = { listening: [0], metadata: [0], bareServers: [0] };
  for (let round = 0; round < rounds; round += 1) {
    const { listeningMs, metadataMs } = await startCluster(listeners, authority.certificatePem);
    measured.listening[round] = listeningMs;
    measured.metadata[round] = metadataMs;
    measured.bareServers[round] = await startServers(tls);
  }
  return measured;
}

async function startCluster(listeners: Listener, ca: string) {
  const { username, password } = CREDENTIALS;
  const beginMs = performance.now();
  await using cluster = await startKafka({
    nodes: NODES,
    ...(listeners === undefined ? {} : { listeners }),
    topics: ["incidents"],
    users: { [username]: password },
  });
  const listeningMs = performance.now() - beginMs;
  await firstMetadata(cluster, ca);
  return { listeningMs, metadataMs: performance.now() - beginMs };
}

async function firstMetadata(cluster: KafkaCluster, ca: string): Promise<void> {
  const connection = new Connection("bench", {
    tls: { ca },
    sasl: { mechanism: "SCRAM-SHA-512", ...CREDENTIALS },
  });
  const [host = "", port = ""] = cluster.bootstrap("secure")[0]?.split(":") ?? [];
  await connection.connect(host, Number(port));
  const { brokers } = await metadataV12.api.async(connection, ["incidents"], false, false);
  if (brokers.length !== NODES) throw new Error(`${brokers.length} brokers`);
  await connection.close();
}

async function startServers(tls: { readonly cert: string; readonly key: string }): Promise<number> {
  const beginMs = performance.now();
  const servers = Array.from({ length: NODES }, () => createServer(tls));
  await Promise.all(
    servers.map(async (server) => {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }),
  );
  const durationMs = performance.now() - beginMs;
  for (const server of servers) server.close();
  return durationMs;
}
