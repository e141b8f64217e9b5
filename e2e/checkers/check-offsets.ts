/** The progress of one partition of the consumed topic. */
export interface PartitionProgress {
  readonly partition: number;
  /** The offset after the last record. */
  readonly end: bigint;
  /** The next offset to be read, as the group committed it; null when it never committed. */
  readonly committed: bigint | null;
}

/**
 * Checks that every partition is committed to its end and never past it. Returns one finding per
 * violation.
 */
export function checkOffsets(partitions: readonly PartitionProgress[]): string[] {
  return partitions.flatMap(({ partition, end, committed }) => {
    const reached = committed ?? 0n;
    if (reached === end) return [];
    const relation = reached > end ? "past the end" : "short of the end";
    return [`partition ${partition}: committed ${committed ?? "nothing"}, ${relation} ${end}`];
  });
}
