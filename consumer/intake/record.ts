import { publishDeadLetter } from "#consumer/action/dead-letter.ts";
import type { DeadLetter, PublishingQueue } from "#consumer/action/dead-letter.ts";
import { decode } from "#consumer/planning/decode.ts";
import type { IncidentFormat } from "#consumer/planning/decode.ts";
import { endedBefore } from "#consumer/action/execute.ts";
import type { KnownEnds } from "#consumer/action/execute.ts";
import type { Executor } from "#consumer/action/types.ts";
import { namedFields } from "#consumer/planning/named-fields.ts";
import { match } from "#consumer/planning/plan.ts";
import type { MatchedAction, PlanSettings } from "#consumer/planning/plan.ts";
import type {
  Assignment,
  Broker,
  Clock,
  Log,
  Metrics,
  Random,
  SourceRecord,
} from "#consumer/ports.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";
import type { Outages } from "#consumer/async/outages.ts";
import type { Rule } from "#consumer/planning/rules.ts";

export interface RecordSettings {
  readonly format: IncidentFormat;
  readonly rules: readonly Rule[];
  readonly plan: PlanSettings;
  /** The longest time that the start of an incident may lie in the future, in milliseconds. */
  readonly clockSkewMsMax: number;
  readonly deadLetterTopic: string;
  /** The delays between the tries of a dead letter. */
  readonly retry: RetryPolicy;
}

export interface RecordDependencies {
  readonly execute: Executor;
  readonly history: KnownEnds & { readonly clock: Pick<Clock, "wallMs"> };
  readonly broker: Pick<Broker, "publish">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Collects the dead letters that the broker refuses at present. Defaults to not collecting them. */
  readonly unacknowledged?: Outages;
  /** Bounds how many dead letters are published at once. Defaults to no bound. */
  readonly publishing?: PublishingQueue;
  readonly settings: RecordSettings;
  /** Aborts when the process begins to stop. */
  readonly stopping: AbortSignal;
}

/** The batch that a record belongs to. */
interface RecordContext {
  readonly assignment: Assignment;
  /** Aborts when nothing new may be started for this batch; what runs goes on to its end. */
  readonly halted: AbortSignal;
  /** Called when only dead letters are left to be acknowledged, so that the lane goes on. */
  readonly release: () => void;
}

/** The work that is left for a record. */
export interface RecordWork {
  /**
   * The incident, since records of one lane run one after another. Undefined when only a dead letter is to be
   * published.
   */
  readonly lane: string | undefined;
  /** Resolves when the record is terminal; otherwise rejects with the reason of `halted`, or with the error. */
  readonly run: (context: RecordContext) => Promise<void>;
}

/**
 * Decodes and matches a record, without side effects but metrics. Returns undefined when the record is terminal at
 * once: a tombstone, no rule applies, or all its actions are done. Otherwise returns the work that makes it terminal:
 * a dead letter to be acknowledged for a record that is undecodable or oversized, or actions to be executed.
 */
export function prepare(
  record: SourceRecord,
  dependencies: RecordDependencies,
): RecordWork | undefined {
  const { clock, history, log, metrics, settings } = dependencies;
  const named = namedFields(settings.rules);
  const decoded = decode(record, settings.format, {
    tagsNamed: named.tags,
    extraNamed: named.extra,
    // The later of both clocks counts: the clock of the volume is as old as its last comparison, and the own clock
    // may be wrong.
    startedOnMsMax: Math.max(history.clock.wallMs(), clock.wallMs()) + settings.clockSkewMsMax,
  });
  if (decoded.kind === "tombstone") {
    metrics.count("records", { result: "tombstone" });
    return undefined;
  }
  if (decoded.kind === "rejected") {
    metrics.count("records", { result: "undecodable" });
    const { reason, detail } = decoded.rejection;
    const letter = { reason, detail, record, incidentId: null };
    return { lane: undefined, run: ({ halted }) => deadLetter(letter, halted, dependencies) };
  }
  const { incident, tagsDropped } = decoded;
  for (const { rule, detail } of tagsDropped) {
    metrics.count("tags_dropped", { rule });
    log.debug("tag.dropped", { incident: incident.id, detail });
  }
  const matched = match(incident, settings.rules, settings.plan);
  metrics.count("records", { result: matched.length > 0 ? "matched" : "unmatched" });
  const open = matched.filter((action) => !endedBefore(action, dependencies));
  if (open.length === 0) return undefined;
  return {
    lane: incident.id,
    run: (context) => executeInOrder(open, record, context, dependencies),
  };
}

/**
 * Executes the actions of a record one after another, in the order of the rules. Only the end of the record waits for
 * their dead letters: an action that has ended durably had its effect or never will.
 */
async function executeInOrder(
  actions: readonly MatchedAction[],
  record: SourceRecord,
  { assignment, halted, release }: RecordContext,
  dependencies: RecordDependencies,
): Promise<void> {
  const { execute, stopping } = dependencies;
  const executions: Promise<unknown>[] = [];
  try {
    for (const action of actions) {
      halted.throwIfAborted();
      const { promise: ended, resolve: onEnded } = Promise.withResolvers<void>();
      const execution = execute(action.plan(), { assignment, record, stopping, onEnded });
      executions.push(execution);
      await Promise.race([execution, ended]);
    }
    release();
  } finally {
    await Promise.allSettled(executions);
  }
  await Promise.all(executions);
}

/** Publishes a dead letter, and retries until the broker has it or `halted` aborts. */
async function deadLetter(
  letter: DeadLetter,
  halted: AbortSignal,
  dependencies: RecordDependencies,
): Promise<void> {
  const { deadLetterTopic: topic, retry } = dependencies.settings;
  halted.throwIfAborted();
  await publishDeadLetter(letter, halted, { ...dependencies, topic, retry });
}
