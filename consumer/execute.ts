import type { History, Pod } from "./history/history.ts";
import type { AttemptOutcome } from "./history/entry.ts";
import type {
  Action,
  ActionTarget,
  Assignment,
  Broker,
  Clock,
  Log,
  Metrics,
  Random,
  SourceRecord,
} from "./ports.ts";
import type { RetryPolicy } from "./retry.ts";

/** One action of one incident, as the planner made it from a rule. */
export interface PlannedAction {
  /** sha256 of the canonical encoding, 64 hex digits: also the name of its claims, and the Idempotency-Key. */
  readonly key: string;
  readonly rule: string;
  /** Name of the action within its rule. */
  readonly action: string;
  /** Ready to send: no template is left in it. */
  readonly spec: Action;
  readonly incident: {
    readonly id: string;
    /** The status that the incident came to. */
    readonly transition: string;
    /** Milliseconds since the epoch; the age of the event counts from here. */
    readonly startedOnMs: number;
  };
  /** Milliseconds from the claim to the end of the send. */
  readonly deadlineMs: number;
  /** The rule declares that a second send has no second effect: an attempt in doubt may be repeated. */
  readonly idempotent: boolean;
  /** At least 1. */
  readonly attemptsMax: number;
  /** Walks the protocol under a key of its own, sends nothing. */
  readonly dryRun: boolean;
}

export interface ExecuteOptions {
  readonly assignment: Assignment;
  /** The record that the action came from: its position goes into the claim, its bytes into the dead letter. */
  readonly record: SourceRecord;
  /** Aborts when the process begins to stop: no claim is made any more, no wait goes on; a running send does. */
  readonly stopping: AbortSignal;
}

export interface Settled {
  readonly outcome: AttemptOutcome;
  /** The attempt that ended the key; 0 when nothing was ever claimed (too old). */
  readonly attempt: number;
  /** It had ended before this run. */
  readonly suppressed: boolean;
  /** For the log. */
  readonly reason: string;
}

/**
 * Resolves only when the action is settled: done, too old to begin, or its dead letter acknowledged. Throws
 * "assignment-lost" when the partition was revoked, or the process stops, before that: commit nothing then.
 */
export type Executor = (planned: PlannedAction, options: ExecuteOptions) => Promise<Settled>;

export interface ExecutorSettings {
  readonly deadLetterTopic: string;
  /** W: how long another run's claim without an outcome is waited for before it is in doubt. */
  readonly orphanWaitMs: number;
  /** How long the outcome of a send is still tried to be written after the partition was lost. */
  readonly outcomeBudgetMs: number;
  /** An incident that started longer ago begins no attempt any more. */
  readonly eventAgeMsMax: number;
  /** Between attempts, and between tries of a dead letter. */
  readonly retry: RetryPolicy;
  /** How often a waited-for outcome is looked for. Default 250. */
  readonly outcomePollMs?: number;
}

export interface ExecutorDependencies {
  readonly history: History;
  readonly target: ActionTarget;
  readonly broker: Pick<Broker, "publish">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pod: Pod;
  readonly settings: ExecutorSettings;
}

export function createExecutor(_dependencies: ExecutorDependencies): Executor {
  throw new Error("under construction");
}
