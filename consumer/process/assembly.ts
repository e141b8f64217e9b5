import { alarm } from "#consumer/action/attempt-files.ts";
import type { Config } from "#consumer/config/load-config.ts";
import { publishDeadLetter } from "#consumer/action/dead-letter.ts";
import type { Lifecycle } from "./state.ts";
import { createExecutor } from "#consumer/action/execute.ts";
import type { History, HistoryDependencies, Pod } from "#consumer/history/history.ts";
import { createLanes } from "#consumer/intake/lanes.ts";
import type { Lanes } from "#consumer/intake/lanes.ts";
import { createRunAdmissions } from "#consumer/action/limits.ts";
import { createPipeline } from "#consumer/intake/pipeline.ts";
import type { Pipeline } from "#consumer/intake/pipeline.ts";
import { sweptDeadLetter } from "#consumer/action/swept-dead-letter.ts";
import type {
  ActionSender,
  BatchHandler,
  Broker,
  Clock,
  Files,
  Log,
  Metrics,
  Random,
  UnreadableHandler,
} from "#consumer/ports.ts";
import { readResolution } from "#consumer/history/claims/resolution.ts";
import { createSkips } from "#consumer/intake/skips.ts";
import { createOutages } from "#consumer/async/outages.ts";
import type { Outages } from "#consumer/async/outages.ts";

interface AssemblyDependencies {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly sender: ActionSender;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pod: Pod;
}

/** Returns the dependencies and settings that the history is opened with. */
export function historyDependencies(dependencies: AssemblyDependencies): HistoryDependencies {
  const { directory, requireMount, publishIntervalMs, ...history } = dependencies.config.history;
  const { eventAgeMsMax, clockSkewMsMax } = dependencies.config.execution;
  const settings = {
    directory,
    requireMount,
    publishIntervalMs,
    clockSkewMsMax,
    retentionMs: history.retentionMs ?? 2 * eventAgeMsMax + clockSkewMsMax,
    ...(history.import && { import: history.import }),
  };
  return { ...dependencies, settings };
}

/**
 * Assembles executor, lanes and pipeline over an open history. `unacknowledged` tells which dead letters the broker
 * refuses.
 */
export function assemble(
  history: History,
  broker: Pick<Broker, "publish">,
  lifecycle: Pick<Lifecycle, "drainDeadline" | "draining" | "fail">,
  dependencies: AssemblyDependencies,
): {
  handle: BatchHandler;
  leftOver: Pipeline["leftOver"];
  unreadable: UnreadableHandler;
  lanes: Lanes;
  unacknowledged: Outages;
} {
  const { config, files, metrics, pod, random } = dependencies;
  const { execution, incident, kafka, rules } = config;
  const { deadLetterTopic, commitIntervalMs } = kafka;
  const writer = `${pod.uid.replaceAll(/[^\w.-]/g, "_")}-${random.nonce()}`;
  const lanes = createLanes(execution.lanesMax, (running) => metrics.gauge("lanes", running));
  const unacknowledged = createOutages();
  // As many letters may be published at once as incidents may be at work; they wait for the broker, not for the lanes
  // of other incidents.
  const publishing = createLanes(execution.lanesMax);
  const admissions = createRunAdmissions({
    files,
    clock: history.clock,
    writer,
    pod: pod.name,
    eventAgeMsMax: execution.eventAgeMsMax,
    onDamage: (error) => alarm(error, dependencies),
  });
  const execute = createExecutor({
    ...dependencies,
    history,
    broker,
    unacknowledged,
    publishing,
    settings: {
      deadLetterTopic,
      orphanWaitMs: execution.orphanWaitMs,
      outcomeBudgetMs: execution.outcomeBudgetMs,
      eventAgeMsMax: execution.eventAgeMsMax,
      retry: execution.retry,
      retryBudgetMs: execution.retry.budgetMs,
    },
    admissions,
    resolution: (key, attempt) => readResolution(files, key, attempt),
  });
  const { handle, leftOver } = createPipeline({
    ...dependencies,
    execute,
    history,
    broker,
    unacknowledged,
    publishing,
    lanes,
    stopping: lifecycle.draining,
    drainDeadline: lifecycle.drainDeadline,
    onFatal: (error) => lifecycle.fail(error),
    settings: {
      format: incident,
      rules,
      plan: execution,
      clockSkewMsMax: execution.clockSkewMsMax,
      deadLetterTopic,
      commitIntervalMs,
      recordsInFlightMax: kafka.recordsInFlightMax,
      bytesInFlightMax: kafka.bytesInFlightMax,
      drainMs: execution.drainMs,
      retry: execution.retry,
    },
  });
  const { eventAgeMsMax, clockSkewMsMax, orphanWaitMs } = execution;
  history.startSweeping({
    settings: {
      eventAgeMsMax,
      clockSkewMsMax,
      orphanWaitMs,
      intervalMs: config.history.sweepIntervalMs,
      snapshotEntriesMin: config.history.snapshotEntriesMin,
    },
    publish: (claim, end) => {
      const letter = sweptDeadLetter(claim, end);
      const { retry } = execution;
      // It tries once, because the sweep finds the claim again in a later round.
      return publishDeadLetter(letter, AbortSignal.abort(new Error("no acknowledgement")), {
        ...dependencies,
        broker,
        topic: deadLetterTopic,
        retry,
      });
    },
    also: [(giveUp) => admissions.forget(giveUp)],
    stopping: lifecycle.draining,
  });
  const unreadable = createSkips({
    ...dependencies,
    broker,
    unacknowledged,
    topic: deadLetterTopic,
    retry: execution.retry,
    pod: pod.name,
    writer,
    stopping: lifecycle.draining,
  });
  return { handle, leftOver, unreadable, lanes, unacknowledged };
}
