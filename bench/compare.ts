export interface ComparisonOptions {
  readonly what: string;
  /** Milliseconds of one round. */
  readonly measure: () => Promise<number>;
  readonly peerName: string;
  /** Milliseconds of one round of the peer. */
  readonly peer: () => Promise<number>;
  /** What the median may be at most. */
  readonly limitMs: number;
  readonly rounds: number;
}

export interface Comparison {
  readonly what: string;
  readonly peerName: string;
  /** The round before any was warm. */
  readonly firstMs: number;
  readonly medianMs: number;
  readonly peerMedianMs: number;
  readonly limitMs: number;
}

/** Rounds of both take turns, so that noise of the machine meets both. The first of each is reported apart. */
export async function compare(options: ComparisonOptions): Promise<Comparison> {
  const { what, peerName, limitMs } = options;
  const firstMs = await options.measure();
  await options.peer();
  const measured: number[] = [];
  const peers: number[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    measured.push(await options.measure());
    peers.push(await options.peer());
  }
  return {
    what,
    peerName,
    firstMs,
    medianMs: median(measured),
    peerMedianMs: median(peers),
    limitMs,
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
