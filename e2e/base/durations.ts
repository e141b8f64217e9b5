import type { ConsumerDurations } from "#fixtures/configurations.ts";
import type { Timing } from "#simulator/kubelet/types.ts";
import type { Durations as PodDurations } from "#simulator/omega/manifests/overlay.ts";

/**
 * Every duration of a run, in columns: the short ones prove the same order of things in seconds, the
 * real-time one is what production has. Nothing else in the kit holds a duration of the system.
 */
export interface Durations {
  /** What is replaced in the rendered manifests; empty: nothing. */
  readonly pod: PodDurations;
  /** How the local pod runtime differs from a kubelet; empty: not at all. */
  readonly cluster: Partial<Timing>;
  readonly consumer: ConsumerDurations;
  /** Certificates that are late, scenario 2. */
  readonly certificatesLateSeconds: number;
  /** How long certificates are waited for when they never come, scenario 3. */
  readonly certificateWaitSeconds: number;
  /** Grace of a pod whose preStop overruns, scenario 9. */
  readonly overrunGraceSeconds: number;
  /** An action that takes longer than a session, scenario 23, and how long it has run when its pod is deleted. */
  readonly longActionMs: number;
  readonly longActionElapsedMs: number;
  /** Too short for the rest of that action (SIGKILL comes 2 s later), and long enough for it. */
  readonly shortGraceSeconds: number;
  readonly longGraceSeconds: number;
  /** How long no node of the broker is there, longer than a session, scenario 28. */
  readonly brokerOutageMs: number;
  /** How long a drain is tried that a budget refuses, scenario 31. */
  readonly drainRefusedMs: number;
  /** How long a pod waits for the outcome of a claim whose owner was killed or frozen, scenarios 8, 9, 23 and 24. */
  readonly orphanWaitMs: number;
  /** How long a condition of an ordinary step may take before it counts as broken. */
  readonly stepMsMax: number;
  /** Between two incidents of a load: every moment of what is done to the pods has work under way. */
  readonly loadIntervalMs: number;
  /** How late a signal may be on a busy machine. */
  readonly signalLateMsMax: number;
  /** What a busy machine takes to write a view of the history, beside the interval. */
  readonly viewLateMsMax: number;
  /** Between two looks at a condition that is waited for. */
  readonly pollIntervalMs: number;
  /** Between two looks at the contract file. */
  readonly lookIntervalMs: number;
  /** How long a thing that must not happen is watched for. */
  readonly quietMs: number;
  /** Limit of a whole scenario. */
  readonly scenarioMsMax: number;
  /** How long a step of a chaos schedule waits for its trigger, unless it has a budget of its own. */
  readonly triggerMsMax: number;
  /** How long a pod is held at a trigger for a fault whose injection takes its time. */
  readonly holdMsMax: number;
  /** How long everything may take to converge once all faults are healed. */
  readonly convergeMsMax: number;
}

/** `cluster`: a real one, which takes whole seconds only and is slower. */
export function durationsOf(realTime: boolean, place: "local" | "cluster"): Durations {
  if (realTime) return REAL_TIME;
  return place === "local" ? SHORT : SHORT_IN_CLUSTER;
}

/**
 * The same for a broker that lets no session be shorter than this: what is measured against the session grows with it.
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
  // A machine that runs three nodes beside them is busy: no limit may pass because of that.
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
  // The app's container starts seconds after that of the sidecar.
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
