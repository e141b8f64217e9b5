/** `runner`: the process of `npm run e2e` itself, with the embedded broker and every simulator in it. */
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

/** What was measured of one process or volume at one time. */
export interface SoakSample {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly kind: SubjectKind;
  /** A process and not a pod: one that was started again is another subject. */
  readonly subject: string;
  /** Without what the platform does not tell. */
  readonly measures: Measures;
  /** Of a volume: how much of each there may be now. */
  readonly allowed?: Measures;
}

export type Measures = Readonly<Partial<Record<Measure, number>>>;
