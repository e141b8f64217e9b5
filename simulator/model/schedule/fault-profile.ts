import type { CrashPoint } from "./crash-points.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";

/** Events that may happen between the steps, with their relative frequency. */
const EVENT_WEIGHTS = {
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
  "order to pause": 1.5,
  "order to resume": 6,
} as const;

export type Event = keyof typeof EVENT_WEIGHTS;

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
  "order to pause",
  "order to resume",
];

/** Events that every run has, since they bring back what others took away. */
const ALWAYS: ReadonlySet<Event> = new Set([
  "restart",
  "resume",
  "order to resume",
  "produce",
  "rebalance",
]);

/**
 * Factors for the crash rate of the run. A crash is likelier where steps are few and much depends
 * on each.
 */
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

/**
 * The frequency of each fault and event in a run. Each run has much of a few kinds, since all kinds
 * at once hide each other.
 */
export interface FaultProfile {
  readonly faultRate: number;
  readonly holdRate: number;
  readonly eventRate: number;
  /** The probability that an owner is paused before a request or before its outcome. */
  readonly ownerPauseRate: number;
  /** Draws the next event between the steps. */
  event(random: StepRandom): Event;
  /** Decides whether a process dies at these crash points. */
  crashesAt(points: readonly CrashPoint[], random: StepRandom): boolean;
}

/** Draws a profile from `random`, the generator of the whole run. */
export function createFaultProfile(random: StepRandom): FaultProfile {
  const pick = <T>(values: readonly [T, ...T[]]): T => random.pick(values) ?? values[0];
  const crashRate = pick([0, 0.003, 0.01, 0.02]);
  // The weight varies between a quarter and six times the usual one.
  const events = EVENT_NAMES.filter((name) => ALWAYS.has(name) || random.next() < 0.75).map(
    (name) => [name, EVENT_WEIGHTS[name] * 0.25 * 24 ** random.next()] as const,
  );
  const total = events.reduce((sum, [, weight]) => sum + weight, 0);
  return {
    faultRate: pick([0, 0.01, 0.03, 0.1]),
    holdRate: pick([0.02, 0.1, 0.3]),
    eventRate: pick([0.01, 0.03, 0.08]),
    ownerPauseRate: pick([0, 0.1, 0.4]),
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
