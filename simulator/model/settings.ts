import type { ExecutorSettings } from "#consumer/action/types.ts";
import type { PauseDurations } from "#consumer/history/control/pause.ts";
import type { HorizonDurations } from "#consumer/history/maintenance/horizon.ts";
import type { Rule } from "#consumer/planning/rules.ts";
import { DEFAULT_FORMAT } from "#fixtures/incidents.ts";

/**
 * Durations of the model, in milliseconds. They are short, but in the proportions that the
 * configuration demands.
 */
export const DURATIONS = {
  actionDeadlineMs: 10_000,
  drainMs: 5000,
  outcomeBudgetMs: 3000,
  /** The largest difference between two clocks. */
  clockSkewMsMax: 8000,
  eventAgeMsMax: 300_000,
  retentionMs: 320_000,
  publishIntervalMs: 9000,
  probeIntervalMs: 40_000,
  commitIntervalMs: 2500,
} as const;

/**
 * The largest age of an event and the time that its outcome is kept: the initial limits of a volume, or the
 * raised ones.
 */
export interface AgeLimits {
  readonly eventAgeMsMax: number;
  readonly retentionMs: number;
}

export const AGE_LIMITS: AgeLimits = {
  eventAgeMsMax: DURATIONS.eventAgeMsMax,
  retentionMs: DURATIONS.retentionMs,
};
export const RAISED_AGE_LIMITS: AgeLimits = { eventAgeMsMax: 900_000, retentionMs: 940_000 };

export const HORIZON: HorizonDurations = {
  readingMsMax: 4000,
  expiryMs: 5000,
  nameCacheMs: 15_000,
  writerIdleMsMax: 40_000,
  writerDeadMs: 100_000,
};

export const PAUSE: PauseDurations = { readingMsMax: 4000, seenMsMax: 60_000 };

const { actionDeadlineMs, drainMs, outcomeBudgetMs, eventAgeMsMax } = DURATIONS;
const retry = { delayMsMin: 500, delayMsMax: 4000 };
const deadLetterTopic = "bigpanda.incidents.dead-letter";

export const EXECUTION: ExecutorSettings = {
  deadLetterTopic,
  orphanWaitMs: actionDeadlineMs + drainMs + outcomeBudgetMs,
  outcomeBudgetMs,
  outcomePollMs: 3000,
  eventAgeMsMax,
  retry,
};

const http = {
  type: "http",
  method: "POST",
  url: "https://target.test/{{incident.id}}",
  headers: {},
  body: "{}",
  useIdentity: false,
  notAppliedStatuses: [503],
} as const;

const RULES: readonly Rule[] = [
  {
    name: "ticket",
    match: { environment: ["production"] },
    actions: [{ ...http, name: "open", idempotent: false, attemptsMax: 3 }],
  },
  {
    name: "page",
    match: { severity: ["critical"], environment: ["production"] },
    actions: [{ ...http, name: "call", idempotent: true, attemptsMax: 2 }],
  },
];

export const PIPELINE = {
  format: DEFAULT_FORMAT,
  rules: RULES,
  plan: { mode: "live", actionDeadlineMs },
  clockSkewMsMax: DURATIONS.clockSkewMsMax,
  deadLetterTopic,
  commitIntervalMs: DURATIONS.commitIntervalMs,
  recordsInFlightMax: 10,
  bytesInFlightMax: 100_000,
  drainMs,
  retry,
} as const;
