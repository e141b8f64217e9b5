import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { median } from "../compare.ts";
import type { Figure } from "../figure.ts";
import { startEmbedded } from "./brokers.ts";
import type { Broker } from "./brokers.ts";
import type { Load, LoadResult } from "./load.ts";
import { NODES } from "./starts.ts";
import type { RequestOptions } from "./requests.ts";
import type { Starts } from "./starts.ts";
import type { TopicsOptions } from "./topics.ts";
import { figuresOf, inTurns, measure } from "./rounds.ts";
import type { BrokerBench, BrokerMeasure, PeerRounds } from "./rounds.ts";

const LISTENING_MS_MAX = 5;
const METADATA_MS_MAX = 60;
const JOIN_MS_MAX = 100;
const RATIO_MIN = 1;
/** The number of rounds inside one process, for what takes milliseconds. */
const INNER_ROUNDS = 15;

/** The Produce requests that one `send` of the loads becomes, without the work of a client. */
const REQUESTS: ReadonlyMap<string, Omit<RequestOptions, keyof TopicsOptions>> = new Map([
  ["1000 x 100 B", { requests: 1000, records: 1000, recordBytes: 100 }],
  ["100 x 10 kB", { requests: 200, records: 100, recordBytes: 10_000 }],
]);

const LOADS: ReadonlyMap<string, Load> = new Map([
  ["100k x 100 B", { records: 100_000, recordBytes: 100, recordsPerSend: 1000, topics: 1 }],
  ["10k x 10 kB", { records: 10_000, recordBytes: 10_000, recordsPerSend: 100, topics: 8 }],
]);

/** The measures by the name that `--only` takes. */
export const BROKER_MEASURES: ReadonlyMap<string, BrokerMeasure> = new Map<string, BrokerMeasure>([
  ["start", start],
  ["throughput", throughput],
  ["requests", requests],
  ["groups", groups],
  ["memory", memory],
]);

/** Measures the start of three nodes in one process, which is warm after the first time. */
async function start(bench: BrokerBench): Promise<readonly Figure[]> {
  const { listening, metadata, bareServers } = await measure<Starts>("starts", {
    rounds: INNER_ROUNDS,
  });
  bench.printLine(`start: ${JSON.stringify({ listening, metadata, bareServers })}`);
  const [coldListening = 0, ...warmListening] = listening;
  const [coldMetadata = 0, ...warmMetadata] = metadata;
  const bare = { name: `${NODES} bare TLS servers`, reason: "" };
  const mock = await mockStarts(bench);
  const common = { group: "start", unit: "ms", isMoreBetter: false };
  const [coldBare = 0, ...warmBare] = bareServers;
  return [
    ...figuresOf({
      ...common,
      what: `${NODES} nodes listening, first of the process`,
      own: [coldListening],
      peers: [{ ...bare, rounds: [coldBare] }],
    }),
    ...figuresOf({
      ...common,
      what: `${NODES} nodes listening`,
      own: warmListening,
      peers: [{ ...bare, rounds: warmBare }],
      limit: LISTENING_MS_MAX,
    }),
    ...figuresOf({
      ...common,
      what: "first Metadata (TLS, SCRAM), first of the process",
      own: [coldMetadata],
      peers: [mock],
    }),
    ...figuresOf({
      ...common,
      what: "first Metadata (TLS, SCRAM)",
      own: warmMetadata,
      peers: [mock],
      limit: METADATA_MS_MAX,
    }),
  ];
}

async function mockStarts({ mock, rounds, printLine }: BrokerBench): Promise<PeerRounds<number>> {
  const name = `${mock.name}, neither`;
  if ("reason" in mock) return { ...mock, rounds: [] };
  const started: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await using broker = await mock.start(NODES);
    started.push(broker.startMs);
  }
  printLine(`start, ${name}: ${JSON.stringify(started)}`);
  return { name, rounds: started, reason: "" };
}

async function throughput(bench: BrokerBench): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const [name, load] of LOADS) {
    const turns = await inTurns(bench, name, ({ bootstrap, hasTopicAdministration }) =>
      measure<LoadResult>("load", { ...load, bootstrap, hasTopicAdministration }),
    );
    for (const [verb, key] of [
      ["produce", "produceMs"],
      ["consume", "consumeMs"],
    ] as const) {
      const rates = (rounds: readonly LoadResult[]): number[] =>
        rounds.map((round) => (load.records / round[key]) * 1000);
      figures.push(
        ...figuresOf({
          group: "throughput",
          what: `kafkajs ${verb}, ${name}`,
          unit: "records/s",
          own: rates(turns.embedded),
          peers: turns.peers.map(({ name: peer, reason, rounds }) => {
            return { name: peer, reason, rounds: rates(rounds) };
          }),
          isMoreBetter: true,
          ratioMin: RATIO_MIN,
        }),
      );
    }
  }
  return figures;
}

async function requests(bench: BrokerBench): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const [name, options] of REQUESTS) {
    const turns = await inTurns(bench, `Produce ${name}`, (broker) => {
      const { bootstrap, hasTopicAdministration } = broker;
      return measure<number>("requests", { ...options, bootstrap, hasTopicAdministration });
    });
    figures.push(
      ...figuresOf({
        group: "requests",
        what: `one Produce request, ${name}`,
        unit: "ms",
        own: turns.embedded,
        peers: turns.peers,
        isMoreBetter: false,
      }),
    );
  }
  return figures;
}

async function groups(bench: BrokerBench): Promise<readonly Figure[]> {
  const inner = (command: string) => async (broker: Broker) => {
    const { bootstrap, hasTopicAdministration } = broker;
    const options = { bootstrap, hasTopicAdministration, rounds: bench.rounds };
    return median(await measure<number[]>(command, options));
  };
  const common = { group: "groups", unit: "ms", isMoreBetter: false };
  const joined = await inTurns(bench, "first join", inner("joins"));
  const rebalanced = await inTurns(bench, "rebalance of 10", inner("rebalances"));
  return [
    ...figuresOf({
      ...common,
      what: "kafkajs joins a new group",
      own: joined.embedded,
      peers: joined.peers,
      limit: JOIN_MS_MAX,
    }),
    ...figuresOf({
      ...common,
      what: "a tenth member joins, all have their assignment",
      own: rebalanced.embedded,
      peers: rebalanced.peers,
    }),
  ];
}

const MEMORY_LOAD = { records: 1_000_000, recordBytes: 100, recordsPerSend: 1000, topics: 1 };
/** The time in which memory that is no longer used can be freed. */
const IDLE_MS = 3000;

/**
 * Measures a broker of its own, since another one would reuse memory that it has freed. The mock
 * broker keeps no more than 5 MB per partition.
 */
async function memory({ printLine }: BrokerBench): Promise<readonly Figure[]> {
  await using embedded = await startEmbedded();
  const { bootstrap, pid } = embedded;
  const before = await residentBytes(pid);
  await measure("fill", { ...MEMORY_LOAD, bootstrap, hasTopicAdministration: true });
  await sleep(IDLE_MS);
  const after = await residentBytes(pid);
  const valueBytes = MEMORY_LOAD.records * MEMORY_LOAD.recordBytes;
  printLine(`memory: ${before} bytes before, ${after} after`);
  return [
    {
      group: "memory",
      what: "resident for 1M x 100 B more, kept",
      measured: (after - before) / 1e6,
      unit: "MB",
      peerName: "their values alone",
      peer: valueBytes / 1e6,
      ratio: (after - before) / valueBytes,
      limit: "",
      reached: true,
    },
  ];
}

/** Returns the resident memory of a process, as the system counts it. */
async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(pid)]);
  return Number(stdout.trim()) * 1024;
}
