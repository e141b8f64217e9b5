import { type DeadLetter, publishDeadLetter } from "./dead-letter.ts";
import { decode, type IncidentFormat } from "./decode.ts";
import type { Executor } from "./execute.ts";
import type { Incident } from "./incident.ts";
import type { Lanes } from "./lanes.ts";
import { plan, type Plan, type PlanSettings, type Rule } from "./plan.ts";
import type { Assignment, Broker, Clock, Log, Metrics, Random, SourceRecord } from "./ports.ts";
import type { RetryPolicy } from "./retry.ts";

export interface RecordSettings {
  readonly format: IncidentFormat;
  readonly rules: readonly Rule[];
  readonly plan: PlanSettings;
  readonly deadLetterTopic: string;
  /** Between tries of a dead letter. */
  readonly retry: RetryPolicy;
}

export interface RecordDependencies {
  readonly execute: Executor;
  readonly broker: Pick<Broker, "publish">;
  /** Shared by all partitions: one bound, and one order per incident, for the whole process. */
  readonly lanes: Lanes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: RecordSettings;
  /** Aborts when the process begins to stop. */
  readonly stopping: AbortSignal;
}

/** The batch that a record came with. */
export interface RecordContext {
  readonly assignment: Assignment;
  /** Aborts when nothing new may be started for this batch; what runs goes on to its end. */
  readonly halted: AbortSignal;
}

/**
 * Resolves when the record is terminal: a tombstone or unmatched at once; undecodable or oversized when its
 * dead letter was acknowledged; else when all its actions are settled, in its incident's lane. Rejects when it
 * is not terminal: with the reason of `halted`, or with what the executor threw.
 */
export async function workOnRecord(
  record: SourceRecord,
  context: RecordContext,
  dependencies: RecordDependencies,
): Promise<void> {
  const { lanes, metrics, settings } = dependencies;
  const { halted } = context;
  halted.throwIfAborted();
  const decoded = decode(record, settings.format);
  switch (decoded.kind) {
    case "tombstone":
      metrics.count("records", { result: "tombstone" });
      return;
    case "rejected": {
      const { reason, detail } = decoded.rejection;
      metrics.count("records", { result: "undecodable" });
      const letter = { reason, detail, record, incidentId: null };
      await lanes.run(laneOf(record), () => deadLetter(letter, halted, dependencies), halted);
      return;
    }
    case "incident": {
      const { incident } = decoded;
      const planned = plan(incident, settings.rules, settings.plan);
      metrics.count("records", { result: planned.matched ? "matched" : "unmatched" });
      if (!planned.matched) return;
      await lanes.run(
        incident.id,
        () => settle(planned, incident, record, context, dependencies),
        halted,
      );
    }
  }
}

/** One after another, in the order of the rules: what a rule does first has its effect first. */
async function settle(
  planned: Plan,
  incident: Incident,
  record: SourceRecord,
  { assignment, halted }: RecordContext,
  dependencies: RecordDependencies,
): Promise<void> {
  const { execute, stopping } = dependencies;
  for (const { key, rule, action, rejection } of planned.rejected) {
    const { reason, detail } = rejection;
    const letter: DeadLetter = {
      reason,
      detail,
      record,
      incidentId: incident.id,
      action: { key, attempt: 0, rule, name: action },
    };
    await deadLetter(letter, halted, dependencies);
  }
  for (const action of planned.actions) {
    halted.throwIfAborted();
    await execute(action, { assignment, record, stopping });
  }
}

/** Resolves when the broker has it; tries until then, or until `halted`. */
async function deadLetter(
  letter: DeadLetter,
  halted: AbortSignal,
  dependencies: RecordDependencies,
): Promise<void> {
  const { deadLetterTopic: topic, retry } = dependencies.settings;
  halted.throwIfAborted();
  await publishDeadLetter(letter, halted, { ...dependencies, topic, retry });
}

/** Of its own, so that it waits for no incident; no incident id holds a NUL. */
function laneOf({ topic, partition, offset }: SourceRecord): string {
  return `\0${topic}/${partition}/${offset}`;
}
