import { messageOf } from "#consumer/errors.ts";
import { runProgram } from "../run-program.ts";
import { median } from "../compare.ts";
import type { Figure } from "../figure.ts";
import type { Absent, Broker, EmbeddedBroker, MockInstallation } from "./brokers.ts";

export interface BrokerBench {
  readonly embedded: EmbeddedBroker;
  /** The mock broker and Apache Kafka. */
  readonly peers: readonly (Broker | Absent)[];
  /** Starts the mock broker again, with more nodes. */
  readonly mock: MockInstallation | Absent;
  /**
   * The number of measured rounds of every broker. One more goes before them and is not counted.
   */
  readonly rounds: number;
  /** Prints one line of progress. */
  readonly printLine: (line: string) => void;
}

export type BrokerMeasure = (bench: BrokerBench) => Promise<readonly Figure[]>;

/** No single measurement takes longer on any broker. */
const TIMEOUT_MS = 120_000;

/** Runs a command of broker/program.ts. Throws what it failed with. */
export async function measure<T>(command: string, options: object): Promise<T> {
  const argv = [command, JSON.stringify(options)];
  const result = await runProgram<{ measured: T } | { failure: string }>(
    "broker/program.ts",
    argv,
    TIMEOUT_MS,
  );
  if ("failure" in result) throw new Error(`${command}: ${result.failure}`);
  return result.measured;
}

/** The results of the rounds of one peer. */
export interface PeerRounds<T> {
  readonly name: string;
  readonly rounds: readonly T[];
  /** The reason why there are no rounds, or "" when there are some. */
  readonly reason: string;
}

export interface Rounds<T> {
  readonly embedded: readonly T[];
  readonly peers: readonly PeerRounds<T>[];
}

/**
 * Runs rounds of all brokers in turn, so that noise of the machine affects all. A peer that fails
 * is left out from then on.
 */
export async function inTurns<T>(
  { embedded, peers, rounds, printLine }: BrokerBench,
  what: string,
  measureOnce: (broker: Broker) => Promise<T>,
): Promise<Rounds<T>> {
  const own: T[] = [];
  const taking = peers.map((peer) => ({
    name: peer.name,
    broker: "reason" in peer ? undefined : peer,
    reason: "reason" in peer ? peer.reason : "",
    rounds: new Array<T>(),
  }));
  const round = async (broker: Broker): Promise<T> => {
    const measured = await measureOnce(broker);
    printLine(`${what}, ${broker.name}: ${JSON.stringify(measured)}`);
    return measured;
  };
  for (let turn = 0; turn <= rounds; turn += 1) {
    own.push(await round(embedded));
    for (const peer of taking) {
      if (peer.broker === undefined) continue;
      try {
        peer.rounds.push(await round(peer.broker));
      } catch (error) {
        peer.reason = messageOf(error);
        peer.broker = undefined;
        peer.rounds.length = 0;
      }
    }
  }
  return {
    embedded: own.slice(1),
    peers: taking.map(({ name, reason, rounds: done }) => ({
      name,
      reason,
      rounds: done.slice(1),
    })),
  };
}

export interface FigureInput {
  readonly group: string;
  readonly what: string;
  readonly unit: string;
  /** The results of the rounds of the embedded broker. */
  readonly own: readonly number[];
  readonly peers: readonly PeerRounds<number>[];
  /** True when more of the unit is better. */
  readonly isMoreBetter: boolean;
  /** The factor by which the median has to be better than that of each peer. */
  readonly ratioMin?: number;
  /** The largest value that the median may have. */
  readonly limit?: number;
}

/** Returns one figure against each peer. */
export function figuresOf(input: FigureInput): Figure[] {
  const { group, what, unit, own, peers, isMoreBetter, ratioMin, limit } = input;
  const measured = median(own);
  return peers.map(({ name, rounds, reason }) => {
    const peer = reason === "" ? median(rounds) : null;
    const better = peer === null ? null : isMoreBetter ? measured / peer : peer / measured;
    const isRatioReached = ratioMin === undefined || better === null || better >= ratioMin;
    return {
      group,
      what,
      measured,
      unit,
      peerName: reason === "" ? name : `${name}: not here: ${reason}`,
      peer,
      ratio: better,
      limit: [
        ...(limit === undefined ? [] : [`at most ${limit} ${unit}`]),
        ...(ratioMin === undefined ? [] : [`at least ${ratioMin.toFixed(1)} x`]),
      ].join(", "),
      reached: isRatioReached && (limit === undefined || measured <= limit),
    };
  });
}
