import type { ConsumerDurations } from "#fixtures/configurations.ts";
import type { Timing } from "#simulator/kubelet/types.ts";
import type { Durations as PodDurations } from "#simulator/omega/manifests/overlay.ts";

/**
 * Every duration of a run. There is one column of short durations for pods on this host, one for a cluster, and one
 * with the durations of production. The short ones prove the same order of events in seconds. No other module of the
 * kit holds a duration of the system under test.
 */
export interface Durations {
  /** Durations that replace those of the rendered manifests. Empty when nothing is replaced. */
  readonly pod: PodDurations;
  /** Differences between the local pod runtime and a kubelet. Empty when there are none. */
  readonly cluster: Partial<Timing>;
  readonly consumer: ConsumerDurations;
  /** The delay of the certificates in scenario 2, in seconds. */
  readonly certificatesLateSeconds: number;
  /** The time that a pod waits for certificates that never come in scenario 3, in seconds. */
  readonly certificateWaitSeconds: number;
  /** The grace period of a pod whose preStop hook overruns in scenario 9, in seconds. */
  readonly overrunGraceSeconds: number;
  /**
   * The duration of an action that takes longer than a session, in scenario 23, and how long that action has run when
   * its pod is deleted.
   */
  readonly longActionMs: number;
  readonly longActionElapsedMs: number;
  /**
   * A grace period that is too short for the rest of that action (SIGKILL comes 2 s later), and one that is long enough
   * for it.
   */
  readonly shortGraceSeconds: number;
  readonly longGraceSeconds: number;
  /** The time that no node of the broker is reachable in scenario 28. It is longer than a session. */
  readonly brokerOutageMs: number;
  /** The time that scenario 31 tries to drain a node while a disruption budget refuses the evictions. */
  readonly drainRefusedMs: number;
  /**
   * The time that a pod waits for the outcome of a claim whose owner was killed or frozen, in scenarios 8, 9, 23 and
   * 24.
   */
  readonly orphanWaitMs: number;
  /** The longest time that a condition of an ordinary step may take before it counts as broken. */
  readonly stepMsMax: number;
  /**
   * The time between two incidents of a load. It is short enough that work is always under way when something is done
   * to the pods.
   */
  readonly loadIntervalMs: number;
  /** The longest delay of a signal on a busy machine. */
  readonly signalLateMsMax: number;
  /** The longest time that a busy machine takes to write a view of the history, in addition to the interval. */
  readonly viewLateMsMax: number;
  /** The time between two checks of a condition that is waited for. */
  readonly pollIntervalMs: number;
  /** The time between two reads of the contract file. */
  readonly lookIntervalMs: number;
  /** The time that the kit watches for an event that must not happen. */
  readonly quietMs: number;
  /** The longest time that a whole scenario may take. */
  readonly scenarioMsMax: number;
  /** The time that a step of a chaos schedule waits for its trigger, unless the step has a budget of its own. */
  readonly triggerMsMax: number;
  /** The time that a trigger holds a pod while a slow fault is injected. */
  readonly holdMsMax: number;
  /** The longest time that the system may take to converge once all faults are healed. */
  readonly convergeMsMax: number;
}

/** Returns the durations of a run. A real cluster takes only whole seconds and is slower than this host. */
export function durationsOf(realTime: boolean, place: "local" | "cluster"): Durations {
  if (realTime) return REAL_TIME;
  return place === "local" ? SHORT : SHORT_IN_CLUSTER;
}

/**
 * Adapts the durations to a broker that refuses sessions shorter than `sessionTimeoutMsMin`. Every duration that is
 * measured against the session grows with it.
 */
export function withSessionTimeout(durations: Durations, sessionTimeoutMsMin: number): Durations {
  const { consumer } = durations;
  const moreMs = sessionTimeoutMsMin - consumer.sessionTimeoutMs;
  if (moreMs <= 0) return durations;
  return {
    ...durations,
    consumer: {
      ...consumer,
      sessionTimeoutMs: sessionTimeoutMsMin,
      rebalanceTimeoutMs: Math.max(consumer.rebalanceTimeoutMs, sessionTimeoutMsMin),
    },
    longActionMs: durations.longActionMs + moreMs,
    longGraceSeconds: durations.longGraceSeconds + Math.ceil(moreMs / 1000),
    brokerOutageMs: durations.brokerOutageMs + moreMs,
  };
}

const SHORT: Durations = {
  pod: {
    certWaitSeconds: 20,
    certPollSeconds: 0.1,
    prestopTimeoutSeconds: 8,
    terminationGracePeriodSeconds: 12,
    probePeriodSeconds: 0.25,
    startupFailureThreshold: 200,
  },
  cluster: { backoffInitialMs: 400, backoffMaxMs: 1600, configMapSyncMs: 200, removalMs: 50 },
  consumer: {
    sessionTimeoutMs: 3000,
    heartbeatIntervalMs: 300,
    rebalanceTimeoutMs: 6000,
    maxWaitMs: 200,
    commitIntervalMs: 200,
    identityReloadIntervalMs: 200,
    ckmsRetryIntervalMs: 200,
    publishIntervalMs: 200,
    actionDeadlineMs: 1500,
    drainMs: 4500,
    outcomeBudgetMs: 500,
  },
  certificatesLateSeconds: 3,
  certificateWaitSeconds: 1,
  overrunGraceSeconds: 2,
  longActionMs: 5000,
  longActionElapsedMs: 1000,
  shortGraceSeconds: 1,
  longGraceSeconds: 10,
  brokerOutageMs: 4000,
  drainRefusedMs: 8000,
  orphanWaitMs: 700,
  stepMsMax: 30_000,
  loadIntervalMs: 25,
  signalLateMsMax: 1000,
  viewLateMsMax: 3000,
  pollIntervalMs: 40,
  lookIntervalMs: 50,
  quietMs: 500,
  scenarioMsMax: 90_000,
  triggerMsMax: 4000,
  holdMsMax: 1000,
  convergeMsMax: 60_000,
};

const SHORT_IN_CLUSTER: Durations = {
  ...SHORT,
  // A machine that runs three nodes beside the pods is busy, and no limit may be reached only because of that.
  pod: {
    ...SHORT.pod,
    prestopTimeoutSeconds: 24,
    terminationGracePeriodSeconds: 30,
    probePeriodSeconds: 1,
    startupFailureThreshold: 150,
  },
  cluster: {},
  consumer: {
    ...SHORT.consumer,
    sessionTimeoutMs: 10_000,
    heartbeatIntervalMs: 1000,
    rebalanceTimeoutMs: 20_000,
    actionDeadlineMs: 6000,
    drainMs: 15_000,
    outcomeBudgetMs: 2000,
  },
  // The app container starts seconds after the container of the sidecar.
  certificatesLateSeconds: 10,
  longActionMs: 12_000,
  longGraceSeconds: 20,
  brokerOutageMs: 11_000,
  stepMsMax: 150_000,
  loadIntervalMs: 100,
  signalLateMsMax: 5000,
  viewLateMsMax: 15_000,
  pollIntervalMs: 100,
  lookIntervalMs: 250,
  scenarioMsMax: 420_000,
  triggerMsMax: 20_000,
  holdMsMax: 5000,
  convergeMsMax: 180_000,
};

const REAL_TIME: Durations = {
  pod: {},
  cluster: {},
  consumer: {
    sessionTimeoutMs: 30_000,
    heartbeatIntervalMs: 3000,
    rebalanceTimeoutMs: 60_000,
    maxWaitMs: 500,
    commitIntervalMs: 1000,
    identityReloadIntervalMs: 10_000,
    ckmsRetryIntervalMs: 5000,
    publishIntervalMs: 1000,
    actionDeadlineMs: 30_000,
    drainMs: 45_000,
    outcomeBudgetMs: 5000,
  },
  certificatesLateSeconds: 10,
  certificateWaitSeconds: 300,
  overrunGraceSeconds: 90,
  longActionMs: 90_000,
  longActionElapsedMs: 55_000,
  shortGraceSeconds: 30,
  longGraceSeconds: 75,
  brokerOutageMs: 60_000,
  drainRefusedMs: 60_000,
  orphanWaitMs: 80_000,
  stepMsMax: 240_000,
  loadIntervalMs: 25,
  signalLateMsMax: 1000,
  viewLateMsMax: 3000,
  pollIntervalMs: 40,
  lookIntervalMs: 500,
  quietMs: 10_000,
  scenarioMsMax: 1_200_000,
  triggerMsMax: 120_000,
  holdMsMax: 10_000,
  convergeMsMax: 600_000,
};
