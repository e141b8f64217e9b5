/**
 * `npm run clients [-- --only kafkajs,kcat]` runs real clients against the embedded broker, each
 * with each. It installs what it needs outside the project, and skips a client that cannot be
 * installed with the reason. It exits with 1 when anything was not read as it was written, and with
 * 2 for wrong options.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "#consumer/errors.ts";
import type { Client } from "./client.ts";
import { CLIENT_NAMES, prepareClient } from "./start-clients.ts";
import { startClientCluster } from "./client-cluster.ts";
import { cacheDirectory } from "./install.ts";
import { runMatrix } from "./matrix.ts";
import type { Reading } from "./matrix.ts";
import { runMixedGroup } from "./mixed-group.ts";

process.exitCode = await main();

function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<number> {
  const names = options();
  if (typeof names === "string") {
    process.stderr.write(`${names}\n`);
    return 2;
  }
  const cache = await cacheDirectory();
  const clients: Client[] = [];
  for (const name of names) {
    const prepared = await prepareClient(name, cache);
    if ("reason" in prepared) printLine(`${name} is skipped: ${prepared.reason}`);
    else {
      clients.push(prepared);
      printLine(`${name} ${prepared.version}: ${prepared.codecs.join(", ")}`);
    }
  }
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-clients-run-"));
  try {
    return await runAll(clients, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runAll(clients: readonly Client[], directory: string): Promise<number> {
  await using started = await startClientCluster(directory);
  const { cluster, plain, secure } = started;
  const readings = await runMatrix({ cluster, plain, secure, clients, printLine });
  for (const reading of readings) printLine(outcome(reading));
  const joining = clients.filter((client) => client.join !== undefined);
  const [first, second] = joining;
  if (first !== undefined && second !== undefined) {
    for (const [clientsInOrder, assignor] of [
      [[first, second], "range"],
      [[second, first], "roundrobin"],
    ] as const) {
      printLine(`mixed group, ${assignor}`);
      await runMixedGroup({
        cluster,
        connection: plain,
        clients: clientsInOrder,
        assignor,
        printLine,
      });
    }
  }
  const read = readings.flatMap((reading) => reading.read).length;
  const faults = readings.flatMap((reading) => reading.faults).length;
  printLine(`${read} passed, ${faults} failed`);
  return faults === 0 ? 0 : 1;
}

function outcome({ producer, reader, read, skipped, faults }: Reading): string {
  const left = skipped.length === 0 ? "" : `; not here: ${skipped.join(", ")}`;
  const wrong = faults.map((fault) => `\n     FAIL ${fault}`).join("");
  return `${reader} reads ${producer}: ${read.join(", ")}${left}${wrong}`;
}

/** Returns the clients to use, or what is wrong with the options. */
function options(): readonly string[] | string {
  try {
    const { values } = parseArgs({
      options: { only: { type: "string", default: CLIENT_NAMES.join(",") } },
    });
    const names = values.only.split(",");
    const unknown = names.filter((name) => !CLIENT_NAMES.includes(name));
    if (unknown.length === 0) return names;
    return `--only takes names of ${CLIENT_NAMES.join(",")}, got ${unknown.join(",")}`;
  } catch (error) {
    return messageOf(error);
  }
}
