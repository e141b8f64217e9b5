/**
 * Measures how long the kit and the pod take to start, each against a peer of the same run: the
 * embedded broker (TLS, SCRAM) in this process against bare TLS servers that speak no protocol, and
 * a pod, from the issue of its certificate to the group joined, against a process that only loads
 * the consumer's packages. `npm run bench:start [-- --rounds N]`: every row is the median of N
 * rounds (default 7).
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:tls";
import { parseArgs, promisify } from "node:util";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import { createAuthority } from "#fixtures/certificates.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import { compare } from "./compare.ts";
import type { Comparison } from "./compare.ts";
import { withDeployment } from "./with-deployment.ts";
import { table } from "./table.ts";

const run = promisify(execFile);
const { values } = parseArgs({ options: { rounds: { type: "string", default: "7" } } });
const rounds = Number(values.rounds);

const authority = await createAuthority();
const leaf = await authority.issue({ commonName: "broker", ipAddresses: ["127.0.0.1"] });
const tls = { cert: leaf.certificatePem, key: leaf.privateKeyPem };

async function startBroker(nodes: number): Promise<number> {
  const beginMs = performance.now();
  await using cluster = await startKafka({
    nodes,
    listeners: [{ name: "secure", tls, sasl: { mechanisms: ["SCRAM-SHA-512"] } }],
    topics: ["incidents"],
    users: { consumer: "bench" },
  });
  cluster.bootstrap("secure");
  return performance.now() - beginMs;
}

async function startServers(count: number): Promise<number> {
  const beginMs = performance.now();
  const servers = Array.from({ length: count }, () => createServer(tls));
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  const durationMs = performance.now() - beginMs;
  for (const server of servers) server.close();
  return durationMs;
}

const compileCache = await makeOwnedDirectory();

function startPod(): Promise<number> {
  return withDeployment({ certificateDelaySeconds: 2 }, compileCache, async (deployment) => {
    const issued = await deployment.until("a certificate", () =>
      deployment.athenz.zts.events().find(({ type }) => type === "registered"),
    );
    const joined = await deployment.until("the group is joined", async () =>
      (await deployment.broker.clientActivity()).find(({ what }) => what === "SyncGroup"),
    );
    return joined.atMs - issued.atMs;
  });
}

const PACKAGES = [
  "kafkajs",
  "pino",
  "prom-client",
  "rotating-file-stream",
  "undici",
  "yaml",
  "zod",
];

async function startBareProcess(): Promise<number> {
  const beginMs = performance.now();
  const script = PACKAGES.map((name) => `import ${JSON.stringify(name)};`).join("");
  await run(process.execPath, ["--input-type=module", "-e", script], {
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  });
  return performance.now() - beginMs;
}

const comparisons: Comparison[] = [];
try {
  comparisons.push(
    await compare({
      what: "broker, 1 node",
      measure: () => startBroker(1),
      peerName: "1 bare TLS server",
      peer: () => startServers(1),
      limitMs: 50,
      rounds,
    }),
    await compare({
      what: "broker, 3 nodes",
      measure: () => startBroker(3),
      peerName: "3 bare TLS servers",
      peer: () => startServers(3),
      limitMs: 50,
      rounds,
    }),
    await compare({
      what: "pod, certificate to joined",
      measure: startPod,
      peerName: "node with the packages",
      peer: startBareProcess,
      limitMs: 1500,
      rounds,
    }),
  );
} finally {
  await removeDirectory(compileCache);
}
process.stdout.write(table(comparisons));
process.exitCode = comparisons.every(({ medianMs, limitMs }) => medianMs <= limitMs) ? 0 : 1;
