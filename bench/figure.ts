/** One line of the table: what was measured, against a peer of the same run. */
export interface Figure {
  /** Letter of the group, as `--only` takes it. */
  readonly group: string;
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  readonly peerName: string;
  /** In the same unit; null where nothing comparable exists. */
  readonly peer: number | null;
  /** How many times better than the peer (`better`), or how many times its cost. */
  readonly ratio: number | null;
  /** For people: what is asked for; "" when nothing is. */
  readonly limit: string;
  readonly reached: boolean;
}

export interface BenchContext {
  /** For everything that the figures write; it is on the disk that the temporary directory is on. */
  readonly directory: string;
  readonly compileCache: string;
  /** How many processes figure (g) kills. */
  readonly kills: number;
  /** Progress, one line. */
  readonly tell: (line: string) => void;
}

export type Measure = (context: BenchContext) => Promise<readonly Figure[]>;
