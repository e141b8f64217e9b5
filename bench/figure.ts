/** One line of the table: what was measured, against a peer of the same run. */
export interface Figure {
  /** The letter of the group, as `--only` takes it. */
  readonly group: string;
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  readonly peerName: string;
  /** The peer's value in the same unit; null where nothing comparable exists. */
  readonly peer: number | null;
  /** The factor by which the value is better than that of the peer, or by which it costs more. */
  readonly ratio: number | null;
  /** The limit as a text for the table; "" when there is none. */
  readonly limit: string;
  readonly reached: boolean;
}

export interface BenchContext {
  /**
   * The directory for everything that the figures write; it is on the same disk as the temporary
   * directory.
   */
  readonly directory: string;
  readonly compileCache: string;
  /** The number of processes that figure (g) kills. */
  readonly kills: number;
  /** Prints one line of progress. */
  readonly printLine: (line: string) => void;
}

export type Measure = (context: BenchContext) => Promise<readonly Figure[]>;
