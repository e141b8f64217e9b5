/**
 * `npm run bench:broker [-- --kafka HOST:PORT] [--only start,throughput,requests,groups,memory]
 * [--rounds N] [--json FILE]` measures the embedded broker against librdkafka's mock broker and
 * against a running Apache Kafka, in one run. A peer that is not available is named with the
 * reason. Prints one table. Exits with 1 when a limit is missed, with 2 for wrong options.
 */
import { parseArgs } from "node:util";
import { messageOf } from "#consumer/errors.ts";
import { installMock, runningKafka, startEmbedded } from "./broker/brokers.ts";
import { BROKER_MEASURES } from "./broker/figures.ts";
import type { Figure } from "./figure.ts";
import { report, printLine } from "./report.ts";

interface BrokerBenchOptions {
  readonly only: readonly string[];
  readonly rounds: number;
  readonly kafka: string | undefined;
  readonly json: string | undefined;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = options();
  if (typeof chosen === "string") {
    process.stderr.write(`${chosen}\n`);
    return 2;
  }
  printLine("librdkafka: its first installation takes minutes");
  const mock = await installMock();
  await using stack = new AsyncDisposableStack();
  const embedded = stack.use(await startEmbedded());
  const peers = [
    "reason" in mock ? mock : stack.use(await mock.start(1)),
    runningKafka(chosen.kafka),
  ];
  const figures: Figure[] = [];
  for (const name of chosen.only) {
    const measure = BROKER_MEASURES.get(name);
    if (measure === undefined) throw new RangeError(`no figure ${name}`);
    figures.push(...(await measure({ embedded, peers, mock, rounds: chosen.rounds, printLine })));
  }
  return await report(figures, chosen.json);
}

/** Returns the options, or what is wrong with them. */
function options(): BrokerBenchOptions | string {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        only: { type: "string", default: [...BROKER_MEASURES.keys()].join(",") },
        rounds: { type: "string", default: "5" },
        kafka: { type: "string" },
        json: { type: "string" },
      },
    }));
  } catch (error) {
    return messageOf(error);
  }
  const only = values.only.split(",");
  const unknown = only.filter((name) => !BROKER_MEASURES.has(name));
  if (unknown.length > 0) {
    return `--only takes names of ${[...BROKER_MEASURES.keys()].join(",")}, got ${unknown.join(",")}`;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    return `--rounds must be a whole number of at least 1, got ${values.rounds}`;
  }
  return { only, rounds, kafka: values.kafka, json: values.json };
}
