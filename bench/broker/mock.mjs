/**
 * `node mock.mjs NODES` runs librdkafka's mock broker in a process of its own. It prints where it
 * listens and how long that took, from the start until librdkafka had its first Metadata response,
 * and ends with SIGTERM. It runs on the Node that the bindings of librdkafka were built for, and
 * therefore is no TypeScript.
 */
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.CLIENTS_DIRECTORY ?? "", "package.json"));
const rdkafka = require("@confluentinc/kafka-javascript");

const beginMs = performance.now();
const owner = new rdkafka.Producer({ "test.mock.num.brokers": Number(process.argv[2] ?? 1) });
owner.connect({}, (error, metadata) => {
  if (error) throw error;
  const durationMs = performance.now() - beginMs;
  const bootstrap = metadata.brokers.map(({ host, port }) => `${host}:${port}`).join(",");
  const version = rdkafka.librdkafkaVersion;
  process.stdout.write(`${JSON.stringify({ bootstrap, durationMs, version })}\n`);
});
// The mock broker lives as long as the client that it belongs to.
process.once("SIGTERM", () => process.exit(0));
setInterval(() => undefined, 60_000);
