import type { CrashPoint } from "./crash-points.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";

/** What may happen beside the steps, and how often in relation to each other. */
const EVENTS = {
  produce: 8,
  republish: 2,
  crash: 2,
  restart: 12,
  "session end": 6,
  pause: 2,
  resume: 5,
  rebalance: 4,
  "offset reset": 1,
  stop: 2,
  "power loss": 0.7,
  skew: 2,
  compact: 3,
  sweep: 3,
  outage: 1.5,
  "outage ends": 3,
  "late arrival": 6,
  time: 10,
  "long time": 1,
  "clock beyond the skew": 1,
  "all clocks ahead": 0.4,
  "limit raised": 1,
} as const;

export type Event = keyof typeof EVENTS;

const EVENT_NAMES: readonly Event[] = [
  "produce",
  "republish",
  "crash",
  "restart",
  "session end",
  "pause",
  "resume",
  "rebalance",
  "offset reset",
  "stop",
  "power loss",
  "skew",
  "compact",
  "sweep",
  "outage",
  "outage ends",
  "late arrival",
  "time",
  "long time",
  "clock beyond the skew",
  "all clocks ahead",
  "limit raised",
];

/** What brings back what others took away. */
const ALWAYS: ReadonlySet<Event> = new Set(["restart", "resume", "produce", "rebalance"]);

/** A crash is likelier where few steps are and much depends on each: times the rate of the run. */
const CRASH_WEIGHTS: Readonly<Record<CrashPoint, number>> = {
  "temporary half-written": 3,
  "written unsynced": 2,
  "synced before link": 2,
  "link applied but reply lost": 10,
  "linked before act": 4,
  "request sent": 10,
  "response before outcome": 1,
  "outcome temporary": 1,
  "outcome linked before journal": 4,
  "torn append": 3,
  "commit sent but reply lost": 20,
  "snapshot temporary": 3,
  "synced before rename": 20,
  "renamed before old journal deleted": 20,
  "journal deleted": 60,
  "old compactor wakes": 120,
  "during claim deletion": 400,
  "horizon temporary": 5,
  "horizon named unsynced": 20,
};

/** How a run is disturbed: some runs have much of a few things, since all at once hide each other. */
export interface Weather {
  readonly faultRate: number;
  readonly holdRate: number;
  readonly eventRate: number;
  /** Of owners, in front of a send or of their outcome. */
  readonly sleepRate: number;
  /** What happens next beside the steps. */
  event(draws: StepRandom): Event;
  /** Whether a process dies that stands there. */
  crashesAt(points: readonly CrashPoint[], draws: StepRandom): boolean;
}

/** `draws`: those of the whole run. */
export function createWeather(draws: StepRandom): Weather {
  const pick = <T>(values: readonly [T, ...T[]]): T => draws.pick(values) ?? values[0];
  const crashRate = pick([0, 0.003, 0.01, 0.02]);
  // Between a quarter of it and six times as often.
  const events = EVENT_NAMES.filter((name) => ALWAYS.has(name) || draws.next() < 0.75).map(
    (name) => [name, EVENTS[name] * 0.25 * 24 ** draws.next()] as const,
  );
  const total = events.reduce((sum, [, weight]) => sum + weight, 0);
  return {
    faultRate: pick([0, 0.01, 0.03, 0.1]),
    holdRate: pick([0.02, 0.1, 0.3]),
    eventRate: pick([0.01, 0.03, 0.08]),
    sleepRate: pick([0, 0.1, 0.4]),
    event(own) {
      let left = own.next() * total;
      for (const [name, weight] of events) {
        left -= weight;
        if (left <= 0) return name;
      }
      return "time";
    },
    crashesAt: (points, own) =>
      own.next() <
      points.reduce((most, point) => Math.max(most, CRASH_WEIGHTS[point]), 1) * crashRate,
  };
}
