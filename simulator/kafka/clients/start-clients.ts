import { messageOf } from "#consumer/errors.ts";
import { CODECS } from "./client.ts";
import type { Absent, Client } from "./client.ts";
import { aptInstall, installKafkajsCodecs, installLibrdkafka } from "./install.ts";
import { startKcat } from "./kcat.ts";
import { startProgram } from "./program.ts";

type Preparation = (cache: string) => Promise<Client>;

/** Debian's Python comes first: another one on the PATH has none of its packages. */
const PYTHONS = ["/usr/bin/python3", "python3"];

/**
 * The preparation of each client, by its name. `cache` is the directory for packages that have to
 * be installed.
 */
const PREPARATIONS: ReadonlyMap<string, Preparation> = new Map<string, Preparation>([
  ["kafkajs", async (cache) => startKafkajs(await installKafkajsCodecs(cache))],
  ["platformatic", () => startPlatformatic()],
  ["librdkafka", startLibrdkafka],
  ["kcat", (cache) => orInstalled(["kcat"], () => startKcat(cache))],
  ["kafka-python", startKafkaPython],
  [
    "confluent-kafka",
    () => startPython("confluent-kafka", "confluent_kafka_python.py", "python3-confluent-kafka"),
  ],
]);

export const CLIENT_NAMES: readonly string[] = [...PREPARATIONS.keys()];

/**
 * Prepares a client and installs what is missing. Returns the reason for a client that is not
 * available.
 */
export async function prepareClient(name: string, cache: string): Promise<Client | Absent> {
  const prepare = PREPARATIONS.get(name);
  if (prepare === undefined) throw new RangeError(`no client ${name}`);
  try {
    return await prepare(cache);
  } catch (error) {
    return { name, reason: messageOf(error) };
  }
}

/** Starts kafkajs. `directory` holds plugins for more codecs, or is "" for none. */
export function startKafkajs(directory: string): Promise<Client> {
  const command = process.execPath;
  return startProgram({ name: "kafkajs", command, file: "kafkajs.mjs", directory, canJoin: true });
}

export function startPlatformatic(): Promise<Client> {
  const program = { name: "platformatic", file: "platformatic.mjs", directory: "" };
  return startProgram({ ...program, command: process.execPath, canJoin: false });
}

async function startLibrdkafka(cache: string): Promise<Client> {
  const { directory, node } = await installLibrdkafka(cache);
  const program = { name: "librdkafka", file: "librdkafka.mjs", directory };
  return startProgram({ ...program, command: node, canJoin: true });
}

/** Starts kafka-python with its codecs, which are packages of their own. */
async function startKafkaPython(): Promise<Client> {
  const [name, file, debianPackage] = ["kafka-python", "kafka_python.py", "python3-kafka"] as const;
  const client = await startPython(name, file, debianPackage);
  if (client.codecs.length === CODECS.length) return client;
  return await aptInstall(["python3-snappy", "python3-lz4", "python3-zstandard"]).then(
    () => startPython(name, file, debianPackage),
    () => client,
  );
}

function startPython(name: string, file: string, debianPackage: string): Promise<Client> {
  return orInstalled([debianPackage], async () => {
    const attempts = PYTHONS.map((command) =>
      startProgram({ name, command, file, directory: "", canJoin: false }),
    );
    return await Promise.any(attempts);
  });
}

async function orInstalled<T>(packages: readonly string[], start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch {
    await aptInstall(packages);
    return await start();
  }
}
