/**
 * `runner`: the process of `npm run e2e` itself, with the embedded broker and every simulator in
 * it.
 */
export type SubjectKind = "runner" | "pod" | "volume";

export type Measure =
  | "residentBytes"
  | "heapBytes"
  | "externalBytes"
  | "openFiles"
  | "claims"
  | "outcomes"
  | "journals"
  | "snapshots";

/** The measures of one process or volume at one time. */
export interface SoakSample {
  /** The time, in milliseconds since the epoch. */
  readonly atMs: number;
  readonly kind: SubjectKind;
  /** The process or volume. A container that was started again is another subject. */
  readonly subject: string;
  /** The measures that the platform provides. */
  readonly measures: Measures;
  /** The amount of each measure that there may be now, for a volume. */
  readonly allowed?: Measures;
}

export type Measures = Readonly<Partial<Record<Measure, number>>>;
