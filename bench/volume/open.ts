import { createFiles } from "#consumer/adapters/files/files.ts";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createMetrics } from "#consumer/adapters/metrics.ts";
import { createSystemRandom } from "#consumer/adapters/random.ts";
import { assemble, historyDependencies } from "#consumer/process/assembly.ts";
import { createLifecycle } from "#consumer/process/state.ts";
import { openHistory } from "#consumer/history/history.ts";
import type { History } from "#consumer/history/history.ts";
import type { BatchHandler, Files } from "#consumer/ports.ts";
import { errorLog, productionConfig } from "../settings.ts";

interface OpenOptions {
  /** Defaults to the interval of production. */
  readonly publishIntervalMs?: number;
  /** Defaults to the interval of production. */
  readonly probeIntervalMs?: number;
  /** Wraps every file operation. Defaults to the volume itself. */
  readonly files?: Files;
}

/**
 * Everything of the consumer between Kafka and the action endpoint, on a real directory. Every
 * action succeeds at once.
 */
export interface OpenPipeline extends AsyncDisposable {
  readonly history: History;
  readonly handle: BatchHandler;
}

export async function openPipeline(
  directory: string,
  { publishIntervalMs, probeIntervalMs, files = createFiles(directory) }: OpenOptions = {},
): Promise<OpenPipeline> {
  const config = productionConfig();
  const history = { ...config.history, directory, requireMount: false };
  const dependencies = {
    config: {
      ...config,
      history: { ...history, ...(publishIntervalMs !== undefined && { publishIntervalMs }) },
    },
    clock: createSystemClock(),
    random: createSystemRandom(),
    files,
    sender: { send: async () => ({ outcome: "done", detail: "bench" }) as const },
    log: errorLog,
    metrics: createMetrics(),
    pod: { name: "bench-0", uid: "bench" },
  };
  const historyOptions = historyDependencies(dependencies);
  const opened = await openHistory({
    ...historyOptions,
    settings: {
      ...historyOptions.settings,
      ...(probeIntervalMs !== undefined && { probeIntervalMs }),
    },
  });
  const broker = { publish: () => Promise.reject(new Error("a dead letter")) };
  const lifecycle = createLifecycle({
    ...dependencies,
    drainMs: config.execution.drainMs,
    stuckAfterMs: { starting: Infinity, draining: Infinity },
  });
  const { handle } = assemble(opened, broker, lifecycle, dependencies);
  return { history: opened, handle, [Symbol.asyncDispose]: () => opened.close() };
}
