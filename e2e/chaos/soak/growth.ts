/** One measurement of a series. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export interface GrowthOptions {
  /**
   * The time after the first point that is left out, since memory grows until caches and compiled
   * code are there.
   */
  readonly warmUpMs: number;
  /** The smallest number of points after the warm-up; with fewer there is no result. */
  readonly pointsMin: number;
  /**
   * The shortest time that these points must span: what is noise in a minute would be large in an
   * hour.
   */
  readonly measuredMsMin: number;
}

/**
 * The number of windows into which a series is cut. It is even, so that half of the time is half of
 * the windows.
 */
const WINDOWS = 20;
const MS_PER_HOUR = 3_600_000;

/** Returns the points after the warm-up. */
export function pointsAfterWarmUp(
  points: readonly Point[],
  { warmUpMs }: Pick<GrowthOptions, "warmUpMs">,
): readonly Point[] {
  const [first] = points;
  return first === undefined ? [] : points.filter(({ atMs }) => atMs - first.atMs >= warmUpMs);
}

/**
 * Returns how much a series grows in an hour, or null when it has too few points. The result
 * depends on what is always in use: the time is cut into windows, and the lowest value of each
 * counts, since memory comes and goes between two garbage collections. The slope through these
 * values is the median of the slopes between all pairs (Theil and Sen), which a few outliers do not
 * move. It is computed over the whole time and over its second half, and the one nearer to zero
 * counts: a leak grows in both, while a single step shows in at most one of them. `points` are in
 * the order of time.
 */
export function growthPerHour(points: readonly Point[], options: GrowthOptions): number | null {
  const measured = pointsAfterWarmUp(points, options);
  if (measured.length < Math.max(2, options.pointsMin)) return null;
  if (endOf(measured) - startOf(measured) < options.measuredMsMin) return null;
  const floors = lowestOfWindows(measured);
  const middleMs = (startOf(measured) + endOf(measured)) / 2;
  const whole = slope(floors);
  const second = slope(floors.filter(({ atMs }) => atMs >= middleMs));
  if (whole === null || second === null) return null;
  if (Math.sign(whole) !== Math.sign(second)) return 0;
  return (Math.abs(whole) < Math.abs(second) ? whole : second) * MS_PER_HOUR;
}

/** Returns one point in the middle of each window that has any. */
function lowestOfWindows(points: readonly Point[]): Point[] {
  const startMs = startOf(points);
  const windowMs = (endOf(points) - startMs) / WINDOWS;
  if (windowMs === 0) return [];
  const lowest = new Map<number, number>();
  for (const { atMs, value } of points) {
    const window = Math.min(WINDOWS - 1, Math.floor((atMs - startMs) / windowMs));
    lowest.set(window, Math.min(value, lowest.get(window) ?? value));
  }
  return [...lowest].map(([window, value]) => ({
    atMs: startMs + (window + 1 / 2) * windowMs,
    value,
  }));
}

/** Returns the slope per millisecond; null for fewer than two points. */
function slope(points: readonly Point[]): number | null {
  const slopes = points.flatMap((later, index) =>
    points.slice(0, index).map((earlier) => {
      return (later.value - earlier.value) / (later.atMs - earlier.atMs);
    }),
  );
  slopes.sort((left, right) => left - right);
  const middle = slopes.length / 2;
  const low = slopes[Math.ceil(middle) - 1];
  const high = slopes[Math.floor(middle)];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function startOf(points: readonly Point[]): number {
  return points[0]?.atMs ?? 0;
}

function endOf(points: readonly Point[]): number {
  return points.at(-1)?.atMs ?? 0;
}
