import type { AttemptOutcome } from "#consumer/history/base/entry.ts";
import type { VolumeClock } from "#consumer/history/base/volume-clock.ts";
import type { Resolution } from "#consumer/history/claims/resolution.ts";
import type { History, Pod } from "#consumer/history/history.ts";
import type { Outages } from "#consumer/async/outages.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";
import type { SharedWork } from "#consumer/async/shared-work.ts";
import type { PublishingQueue } from "./dead-letter.ts";
import type { RunAdmissions } from "./limits.ts";
import type { PlannedAction, RejectedAction } from "#consumer/planning/plan.ts";
import type {
  ActionSender,
  Assignment,
  Broker,
  Log,
  Metrics,
  Random,
  SourceRecord,
} from "#consumer/ports.ts";

/** The record that an action came from, and the signals that end its execution. */
interface ExecuteOptions {
  readonly assignment: Assignment;
  /** The record that the action came from: its position goes into the claim, its bytes into the dead letter. */
  readonly record: SourceRecord;
  /** Aborts when the process begins to stop: no claim is made and no wait goes on, but a running send does. */
  readonly stopping: AbortSignal;
  /**
   * Called when the end of the action is durable and only its dead letter is left, so that the next action may
   * begin. Defaults to nothing.
   */
  readonly onEnded?: () => void;
}

/** The way in which an action ended. */
export interface ExecutionResult {
  readonly outcome: AttemptOutcome;
  /** The attempt that ended the key; 0 when nothing was ever claimed because the event was too old. */
  readonly attempt: number;
  /** True when the action had ended before this run. */
  readonly endedBefore: boolean;
  /** One line for the log. */
  readonly reason: string;
}

/**
 * Executes one action. Resolves only when the action is terminal: done, too old to begin, or its dead letter
 * acknowledged. Throws "assignment-lost" when the partition was revoked before that, and "stopping" when the process
 * stops before that: the caller must then not commit the record.
 */
export type Executor = (
  planned: PlannedAction | RejectedAction,
  options: ExecuteOptions,
) => Promise<ExecutionResult>;

export interface ExecutorSettings {
  readonly deadLetterTopic: string;
  /** The time to wait for the outcome of another run's claim before the attempt is in doubt, in milliseconds. */
  readonly orphanWaitMs: number;
  /** The time to go on trying to write the outcome of a send after the partition was lost, in milliseconds. */
  readonly outcomeBudgetMs: number;
  /** The greatest age of an incident at which an attempt may begin, in milliseconds. */
  readonly eventAgeMsMax: number;
  /** The delays between attempts, and between tries of a dead letter. */
  readonly retry: RetryPolicy;
  /** The longest time from the claim of the first attempt to the start of the last one. Defaults to no limit. */
  readonly retryBudgetMs?: number;
  /** The time between two looks for an outcome that is waited for, in milliseconds. Defaults to 250. */
  readonly outcomePollMs?: number;
}

export interface ExecutorDependencies {
  readonly history: History;
  readonly sender: ActionSender;
  readonly broker: Pick<Broker, "publish">;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Collects the dead letters that the broker refuses at present. Defaults to not collecting them. */
  readonly unacknowledged?: Outages;
  /** Bounds how many dead letters are published at once. Defaults to no bound. */
  readonly publishing?: PublishingQueue;
  readonly pod: Pod;
  readonly settings: ExecutorSettings;
  /** Enforces the limits of rules. Defaults to none; an action whose rule has limits then throws "internal". */
  readonly admissions?: RunAdmissions;
  /** Reads an operator's decision about an attempt; tries once. Defaults to there never being one. */
  readonly resolution?: (key: string, attempt: number) => Promise<Resolution | undefined>;
}

/** One run of one attempt of an action in this process, from the first look at the attempt's files to its end. */
export interface Run {
  readonly dependencies: ExecutorDependencies & { readonly clock: VolumeClock };
  readonly planned: PlannedAction | RejectedAction;
  readonly record: SourceRecord;
  /** Aborts when the partition is revoked: nothing may be sent any more. */
  readonly revoked: AbortSignal;
  /** Aborts when the partition is revoked or the process stops: nothing is begun any more, and every wait ends. */
  readonly ended: AbortSignal;
  /** Aborts some time after `ended`, with its reason: a step that is half done may be finished in between. */
  readonly lingering: AbortSignal;
  readonly sends: Sends;
  /** The dead letters that are being published, by key and attempt. */
  readonly letters: SharedWork;
  /** Called when only the dead letter is left. */
  readonly onEnded: () => void;
}

/** Knows whether a send is under way. */
export interface Sends {
  during<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Resolves when no send is under way. */
  ended(): Promise<void>;
}
