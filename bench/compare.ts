export interface ComparisonOptions {
  readonly what: string;
  /** Returns the milliseconds of one round. */
  readonly measure: () => Promise<number>;
  readonly peerName: string;
  /** Returns the milliseconds of one round of the peer. */
  readonly peer: () => Promise<number>;
  /** The largest value that the median may have. */
  readonly limitMs: number;
  readonly rounds: number;
}

export interface Comparison {
  readonly what: string;
  readonly peerName: string;
  /** The first round, which runs cold code. */
  readonly firstMs: number;
  readonly medianMs: number;
  readonly peerMedianMs: number;
  readonly limitMs: number;
}

/**
 * Runs rounds of both in turn, so that noise of the machine affects both. The first round of each
 * is reported apart.
 */
export async function compare(options: ComparisonOptions): Promise<Comparison> {
  const { what, peerName, limitMs, measure, peer, rounds } = options;
  const firstMs = await measure();
  await peer();
  return { what, peerName, firstMs, limitMs, ...(await takeTurns(measure, peer, rounds)) };
}

/** Returns the medians of rounds that take turns. */
export async function takeTurns(
  measure: () => Promise<number>,
  peer: () => Promise<number>,
  rounds: number,
): Promise<Pick<Comparison, "medianMs" | "peerMedianMs">> {
  const measured: number[] = [];
  const peers: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    measured.push(await measure());
    peers.push(await peer());
  }
  return { medianMs: median(measured), peerMedianMs: median(peers) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
