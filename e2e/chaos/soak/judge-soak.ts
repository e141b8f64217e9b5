import { GROWTH_BOUNDS, SAMPLES_MIN, MEASURED_MS_MIN, WARM_UP_MS } from "./bounds.ts";
import type { GrowthBound } from "./bounds.ts";
import { growthPerHour, pointsAfterWarmUp } from "./growth.ts";
import type { GrowthOptions, Point } from "./growth.ts";
import type { Measure, SoakSample, SubjectKind } from "./sample.ts";

/** The result of one measure of one kind of process or volume. */
export interface SoakFinding {
  readonly kind: SubjectKind;
  readonly measure: Measure;
  /** The number of processes or volumes that were measured. */
  readonly subjects: number;
  /** The number of those that were measured long enough to be judged. */
  readonly judged: number;
  /**
   * The process or volume that is shown: the one that grew most, or was nearest to its bound, or
   * lived longest where none can be judged.
   */
  readonly subject: string;
  readonly first: number;
  readonly last: number;
  /** The highest value of all processes, or of the volume that is shown. */
  readonly peak: number;
  /** The growth of the one that is shown; null when it has too few samples. */
  readonly perHour: number | null;
  /**
   * `per-hour`: the bound of the growth. `amount`: the bound of the value itself, when it was
   * nearest to it.
   */
  readonly bound: { readonly of: "per-hour" | "amount"; readonly max: number };
  readonly status: "holds" | "broken" | "not-judged";
  /** One sentence; empty when the bound holds. */
  readonly reason: string;
}

export interface JudgeSoakOptions extends GrowthOptions {
  readonly growthBounds: readonly GrowthBound[];
}

const DEFAULTS: JudgeSoakOptions = {
  warmUpMs: WARM_UP_MS,
  pointsMin: SAMPLES_MIN,
  measuredMsMin: MEASURED_MS_MIN,
  growthBounds: GROWTH_BOUNDS,
};

/**
 * Judges the growth of processes and the amounts on volumes. `samples` are in the order of time.
 */
export function judgeSoak(
  samples: readonly SoakSample[],
  options: JudgeSoakOptions = DEFAULTS,
): SoakFinding[] {
  return [
    ...options.growthBounds.map((bound) => growthFinding(samples, bound, options)),
    ...VOLUME_MEASURES.map((measure) => amountFinding(samples, measure)),
  ];
}

const VOLUME_MEASURES: readonly Measure[] = ["claims", "outcomes", "journals", "snapshots"];

function growthFinding(
  samples: readonly SoakSample[],
  { kind, measure, perHourMax }: GrowthBound,
  options: GrowthOptions,
): SoakFinding {
  const judged = seriesOf(samples, kind, measure).map(({ subject, points }) => ({
    subject,
    points,
    perHour: growthPerHour(points, options),
  }));
  const shown = judged.toSorted(
    (left, right) =>
      (right.perHour ?? Number.NEGATIVE_INFINITY) - (left.perHour ?? Number.NEGATIVE_INFINITY) ||
      right.points.length - left.points.length,
  )[0];
  const limit = { of: "per-hour", max: perHourMax } as const;
  if (shown === undefined) return unmeasured(kind, measure, limit);
  const status =
    shown.perHour === null ? "not-judged" : shown.perHour > perHourMax ? "broken" : "holds";
  const measured = pointsAfterWarmUp(shown.points, options);
  const measuredMs = (measured.at(-1)?.atMs ?? 0) - (measured[0]?.atMs ?? 0);
  const reasons = {
    holds: "",
    broken: `${shown.subject} grows by more than its bound`,
    "not-judged":
      `${measured.length} samples in ${Math.round(measuredMs / 1000)} s after the warm-up of ` +
      `${options.warmUpMs / 1000} s, ${options.pointsMin} in ${options.measuredMsMin / 1000} s wanted`,
  };
  return {
    kind,
    measure,
    subjects: judged.length,
    judged: judged.filter(({ perHour }) => perHour !== null).length,
    ...extremes(shown, judged),
    perHour: shown.perHour,
    bound: limit,
    status,
    reason: reasons[status],
  };
}

const NO_BOUND = "faults of the volume or the clock were injected, which make pods begin new ones";

/**
 * Judges the amounts on volumes. How much there may be depends on what was done, and is judged at
 * every sample.
 */
function amountFinding(samples: readonly SoakSample[], measure: Measure): SoakFinding {
  const series = seriesOf(samples, "volume", measure);
  const shares = samples.flatMap(({ kind, subject, measures, allowed }) => {
    const [value, max] = [measures[measure], allowed?.[measure]];
    if (kind !== "volume" || value === undefined || max === undefined) return [];
    return [{ subject, value, max }];
  });
  const worst = shares.toSorted(
    (left, right) => right.value * left.max - left.value * right.max || right.value - left.value,
  )[0];
  const shown = series.find(({ subject }) => subject === worst?.subject);
  if (worst === undefined || shown === undefined) {
    const finding = unmeasured("volume", measure, { of: "amount", max: 0 });
    return series.length === 0 ? finding : { ...finding, reason: NO_BOUND };
  }
  const isBroken = worst.value > worst.max;
  return {
    kind: "volume",
    measure,
    subjects: series.length,
    judged: series.length,
    ...extremes(shown, [shown]),
    perHour: null,
    bound: { of: "amount", max: worst.max },
    status: isBroken ? "broken" : "holds",
    reason: isBroken
      ? `${worst.subject} holds ${worst.value} ${measure} when at most ${worst.max} may be there`
      : "",
  };
}

/**
 * Returns the finding when the platform does not provide the measure, or the run was too short for
 * a single sample.
 */
function unmeasured(kind: SubjectKind, measure: Measure, bound: SoakFinding["bound"]): SoakFinding {
  return {
    kind,
    measure,
    subjects: 0,
    judged: 0,
    subject: "",
    first: 0,
    last: 0,
    peak: 0,
    perHour: null,
    bound,
    status: "not-judged",
    reason: "it could not be measured",
  };
}

interface Series {
  readonly subject: string;
  readonly points: readonly Point[];
}

function seriesOf(samples: readonly SoakSample[], kind: SubjectKind, measure: Measure): Series[] {
  const series = new Map<string, Point[]>();
  for (const sample of samples) {
    const value = sample.measures[measure];
    if (sample.kind !== kind || value === undefined) continue;
    const points = series.get(sample.subject) ?? [];
    series.set(sample.subject, points);
    points.push({ atMs: sample.atMs, value });
  }
  return [...series].map(([subject, points]) => ({ subject, points }));
}

function extremes(shown: Series, all: readonly Series[]) {
  return {
    subject: shown.subject,
    first: shown.points[0]?.value ?? 0,
    last: shown.points.at(-1)?.value ?? 0,
    peak: all.flatMap(({ points }) => points).reduce((peak, { value }) => Math.max(peak, value), 0),
  };
}
