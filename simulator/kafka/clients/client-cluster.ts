import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthority } from "#fixtures/certificates.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import type { ClientConnection } from "./client.ts";

const USERNAME = "client";
const PASSWORD = "client, secret=1";

/** A cluster of three nodes, and the ways in which clients reach it. */
export interface ClientCluster extends AsyncDisposable {
  readonly cluster: KafkaCluster;
  readonly plain: ClientConnection;
  readonly secure: ClientConnection;
}

/**
 * Starts the cluster. The authority's certificate is written into `directory`, for clients that
 * want a file.
 */
export async function startClientCluster(directory: string): Promise<ClientCluster> {
  const authority = await createAuthority();
  const { certificatePem: cert, privateKeyPem: key } = await authority.issue({
    commonName: "localhost",
    ipAddresses: ["127.0.0.1"],
  });
  const ca = join(directory, "ca.pem");
  await writeFile(ca, authority.certificatePem);
  const cluster = await startKafka({
    nodes: 3,
    listeners: [
      { name: "plain" },
      { name: "secure", tls: { cert, key }, sasl: { mechanisms: ["SCRAM-SHA-512"] } },
    ],
    users: { [USERNAME]: PASSWORD },
    autoCreateTopics: false,
  });
  const secure = { ca, username: USERNAME, password: PASSWORD };
  return {
    cluster,
    plain: { bootstrap: cluster.bootstrap("plain").join(",") },
    secure: { bootstrap: cluster.bootstrap("secure").join(","), secure },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}
