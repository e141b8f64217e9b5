import { aborted } from "#consumer/async/abort.ts";
import { createDeadline } from "#consumer/async/deadline.ts";
import { ConsumerError, hasCode, systemCode } from "#consumer/errors.ts";
import { createExecutor } from "#consumer/action/execute.ts";
import type { PlannedAction, RejectedAction } from "#consumer/planning/plan.ts";
import { publishDeadLetter } from "#consumer/action/dead-letter.ts";
import { openHistory } from "#consumer/history/history.ts";
import type { Claim } from "#consumer/history/claims/claims.ts";
import type { History } from "#consumer/history/history.ts";
import { createLanes } from "#consumer/intake/lanes.ts";
import { createPipeline } from "#consumer/intake/pipeline.ts";
import type { Assignment, Clock, Files, Random } from "#consumer/ports.ts";
import { sweptDeadLetter } from "#consumer/action/swept-dead-letter.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import type { ModelBroker } from "./broker.ts";
import { SILENT_LOG, SILENT_METRICS } from "./silent-observers.ts";
import { DURATIONS, EXECUTION, HORIZON, PAUSE, PIPELINE } from "#simulator/model/settings.ts";
import type { AgeLimits } from "#simulator/model/settings.ts";
import type { ModelEndpoint } from "./action-endpoint.ts";

/** One execution of an action, with what its request is verified against. */
export interface Execution {
  readonly assignment: Assignment;
  /** The nonces that were generated since the execution began. */
  readonly nonces: Set<string>;
}

/** Receives what a process does, to verify it. */
interface PodObserver {
  /** Called when the process begins to write a claim, at every try. */
  onClaim(pod: ModelPod): void;
  onSend(pod: ModelPod, planned: PlannedAction, execution: Execution): void;
  onLookup(pod: ModelPod, key: string, entry: HistoryEntry): void;
  /** Called when the history has reported the entry as durable. */
  onRecorded(entry: HistoryEntry): void;
  onFatal(pod: ModelPod, error: unknown): void;
}

/** One process with the real history, executor, lanes and pipeline. */
export interface ModelPod {
  /** The name of the machine and pod, which stays the same when the pod starts again. */
  readonly name: string;
  /** The identity of this process. */
  readonly who: string;
  readonly clock: Clock;
  readonly history: History | undefined;
  readonly state: "starting" | "running" | "stopping" | "ended";
  /**
   * Returns the execution of that key, unless its assignment is lost or the process is stopping.
   */
  execution(key: string): Execution | undefined;
  /** True while the process sweeps old claims. */
  readonly sweeps: boolean;
  /**
   * Resolves when the history is compacted, or when a failure of the volume has ended the
   * compaction.
   */
  compact(): Promise<void>;
  /** Looks through all claims once for old ones. A failure of the volume ends the sweep. */
  sweep(): Promise<void>;
  /** Stops the process, as SIGTERM does. */
  stop(): void;
}

export interface ModelPodOptions {
  readonly name: string;
  readonly who: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly limits: AgeLimits;
  readonly random: Random;
  readonly broker: ModelBroker;
  readonly endpoint: ModelEndpoint;
  readonly observer: PodObserver;
  /** True for a process of another version of the rules, which sends another body under the same keys. */
  readonly changesRequests: boolean;
  /** Ends the process, and with it everything that it has not waited for. */
  readonly exit: () => void;
}

const OPEN_RETRY_MS = 2000;
const LANES_MAX = 3;
/** The number of rounds in which every claim is looked at. */
const SWEEP_ROUNDS = 17;
/** The interval is so long that a pod sweeps only when it is told to. */
const SWEEPING = { clockSkewMsMax: DURATIONS.clockSkewMsMax, intervalMs: 1e9 } as const;

export function startModelPod(options: ModelPodOptions): ModelPod {
  const { name, who, files, clock, limits, broker, endpoint, observer } = options;
  const stopping = new AbortController();
  /**
   * The running executions by key. There is one per key, since executions of one incident share a
   * lane.
   */
  const executions = new Map<string, Execution>();
  const current = new Map<string, PlannedAction>();
  let history: History | undefined;
  let sweeping: ReturnType<History["startSweeping"]> | undefined;
  let state: ModelPod["state"] = "starting";
  let sweeps = 0;

  const random: Random = {
    next: () => options.random.next(),
    nonce() {
      const nonce = options.random.nonce();
      for (const { nonces } of executions.values()) nonces.add(nonce);
      return nonce;
    },
  };
  const shared = { clock, random, log: SILENT_LOG, metrics: SILENT_METRICS };
  const identity = { name, uid: `uid-${name}` };

  const open = async (): Promise<History | undefined> => {
    while (!stopping.signal.aborted) {
      try {
        return await openHistory({
          ...shared,
          files,
          pod: identity,
          settings: {
            requireMount: true,
            publishIntervalMs: DURATIONS.publishIntervalMs,
            probeIntervalMs: DURATIONS.probeIntervalMs,
            clockSkewMsMax: DURATIONS.clockSkewMsMax,
            retentionMs: limits.retentionMs,
            horizon: HORIZON,
            pause: PAUSE,
          },
        });
      } catch (error) {
        const waits = hasCode(error, "history-unavailable") || hasCode(error, "clock-beyond-skew");
        if (!waits) observer.onFatal(pod, error);
        await clock.sleep(OPEN_RETRY_MS, stopping.signal).catch(() => undefined);
      }
    }
    return undefined;
  };

  const run = async (): Promise<void> => {
    history = await open();
    if (!history) return;
    const publisher = {
      publish: (record: Parameters<ModelBroker["publish"]>[1]) => broker.publish(who, record),
    };
    sweeping = history.startSweeping({
      settings: {
        ...SWEEPING,
        eventAgeMsMax: limits.eventAgeMsMax,
        orphanWaitMs: EXECUTION.orphanWaitMs,
      },
      publish: (claim, end, giveUp) =>
        publishDeadLetter(sweptDeadLetter(claim, end), giveUp, {
          ...shared,
          broker: publisher,
          topic: EXECUTION.deadLetterTopic,
          retry: EXECUTION.retry,
        }),
      stopping: stopping.signal,
    });
    const watched = observed(history, {
      claim: () => observer.onClaim(pod),
      lookup: (key, entry) => observer.onLookup(pod, key, entry),
      record: (entry) => observer.onRecorded(entry),
    });
    const executor = createExecutor({
      ...shared,
      history: watched,
      broker: publisher,
      pod: identity,
      settings: { ...EXECUTION, eventAgeMsMax: limits.eventAgeMsMax },
      sender: {
        async send(_action, { idempotencyKey: key, deadlineMs }) {
          const planned = current.get(key);
          const execution = executions.get(key);
          if (!planned || !execution) throw new Error(`${key} is sent and not executed`);
          observer.onSend(pod, planned, execution);
          return endpoint.send(who, key, deadlineMs, () => clock.monotonicMs());
        },
      },
    });
    const { handle } = createPipeline({
      ...shared,
      async execute(asked, how) {
        const { key } = asked;
        const planned = options.changesRequests ? withAnotherBody(asked) : asked;
        executions.set(key, { assignment: how.assignment, nonces: new Set() });
        if (!("rejection" in planned)) current.set(key, planned);
        try {
          return await executor(planned, how);
        } finally {
          executions.delete(key);
          current.delete(key);
        }
      },
      history: watched,
      broker: publisher,
      lanes: createLanes(LANES_MAX),
      stopping: stopping.signal,
      drainDeadline: createDeadline(stopping.signal, PIPELINE.drainMs, clock),
      onFatal: (error) => observer.onFatal(pod, error),
      settings: PIPELINE,
    });
    if (stopping.signal.aborted) return history.close();
    state = "running";
    broker.join(who, clock, handle);
    await aborted(stopping.signal);
    await broker.drain(who);
    broker.leave(who);
    return history.close();
  };

  const maintain = async (work: () => Promise<void>): Promise<void> => {
    if (state === "ended") return;
    try {
      await work();
    } catch (error) {
      const known =
        hasCode(error, "history-unavailable") ||
        hasCode(error, "history-unreadable") ||
        hasCode(error, "history-damaged") ||
        hasCode(error, "clock-beyond-skew") ||
        systemCode(error) !== undefined ||
        error === stopping.signal.reason;
      if (!known && !stopping.signal.aborted) observer.onFatal(pod, error);
    }
  };

  const pod: ModelPod = {
    name,
    who,
    clock,
    get history() {
      return history;
    },
    get state() {
      return state;
    },
    execution(key) {
      const execution = executions.get(key);
      const over = execution?.assignment.signal.aborted === true || stopping.signal.aborted;
      return over ? undefined : execution;
    },
    compact: () => maintain(async () => void (await history?.compact())),
    get sweeps() {
      return sweeps > 0;
    },
    async sweep() {
      sweeps += 1;
      await maintain(async () => {
        for (let round = 0; round < SWEEP_ROUNDS; round += 1) await sweeping?.round();
      });
      sweeps -= 1;
    },
    stop() {
      if (state === "ended") return;
      state = "stopping";
      stopping.abort(new ConsumerError("internal", "SIGTERM"));
    },
  };
  void run()
    .catch((error: unknown) => observer.onFatal(pod, error))
    .finally(() => {
      state = "ended";
      options.exit();
    });
  return pod;
}

function withAnotherBody(planned: PlannedAction | RejectedAction): PlannedAction | RejectedAction {
  if ("rejection" in planned || planned.spec.type !== "http") return planned;
  return { ...planned, spec: { ...planned.spec, body: '{"version":2}' } };
}

/**
 * Wraps the history, so that claims, entries that its index returns and entries that it has recorded
 * are seen.
 */
function observed(
  history: History,
  seen: {
    readonly claim: () => void;
    readonly lookup: (key: string, entry: HistoryEntry) => void;
    readonly record: (entry: HistoryEntry) => void;
  },
): History {
  const { claims } = history;
  return Object.create(history, {
    claims: {
      value: {
        ...claims,
        linkClaim(claim: Claim) {
          seen.claim();
          return claims.linkClaim(claim);
        },
      },
    },
    lookup: {
      value(key: string) {
        const entry = history.lookup(key);
        if (entry) seen.lookup(key, entry);
        return entry;
      },
    },
    record: {
      async value(entry: HistoryEntry, giveUp: AbortSignal) {
        await history.record(entry, giveUp);
        seen.record(entry);
      },
    },
  });
}
