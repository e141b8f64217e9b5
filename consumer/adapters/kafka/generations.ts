/**
 * Tells a batch that may have been fetched under an earlier generation. Usually kafkajs stops all its fetchers
 * before it joins again; but one that meets stale metadata joins while others still wait for their answers,
 * and these are handed over under the new generation, from a position that may be another member's past.
 */
export interface Generations {
  /** A fetcher (one for each broker) asks now: what it gets belongs to the present generation. */
  fetchStarted(nodeId: string): void;
  /** Every fetcher has ended. */
  fetchersStopped(): void;
  /** The generation changes: what is being fetched is suspect. */
  changed(): void;
  maybeStale(): boolean;
}

/** `requestTimeoutMs`: no answer comes later than this, should a broker have gone with its fetcher. */
export function createGenerations(
  requestTimeoutMs: number,
  nowMs: () => number = () => performance.now(),
): Generations {
  const fetching = new Set<string>();
  let suspects = new Set<string>();
  let suspectUntilMs = 0;
  return {
    fetchStarted(nodeId) {
      fetching.add(nodeId);
      suspects.delete(nodeId);
    },
    fetchersStopped() {
      fetching.clear();
      suspects.clear();
    },
    changed() {
      suspects = new Set(fetching);
      suspectUntilMs = nowMs() + requestTimeoutMs;
    },
    maybeStale: () => suspects.size > 0 && nowMs() < suspectUntilMs,
  };
}
