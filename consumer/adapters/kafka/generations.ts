/**
 * Recognizes a batch that may have been fetched under an earlier generation. Usually kafkajs stops all its fetchers
 * before it joins again. But one that meets stale metadata joins while others still wait for their answers, and these
 * are handed over under the new generation, from a position that may be another member's past.
 */
export interface Generations {
  /** Notes that a fetcher (there is one for each broker) asks now: its answer belongs to the present generation. */
  fetchStarted(nodeId: string): void;
  /** Notes that every fetcher has ended. */
  fetchersStopped(): void;
  /** Notes that the generation changes: records that are being fetched are suspect. */
  changed(): void;
  maybeStale(): boolean;
}

/** Creates the guard. No answer comes later than `requestTimeoutMs`, even when a broker has gone with its fetcher. */
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
