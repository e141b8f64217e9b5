import { setTimeout as sleep } from "node:timers/promises";
import { requestJson } from "#simulator/http/json-request.ts";
import { followLogFiles } from "./log-files.ts";
import type { LogFiles } from "./log-files.ts";
import type { Chunk, TailedFile } from "./tailed-file.ts";

export interface ForwarderOptions {
  /** `host:port` or the URL of the collector. */
  readonly instance: string;
  readonly token?: string | undefined;
  readonly clientName: string;
  readonly host: string;
  readonly directories: readonly string[];
  /**
   * The directory that keeps the positions for the next run of the sidecar. By default every run
   * begins at the start of each file.
   */
  readonly stateDirectory?: string | undefined;
  /** The time between looks at the directories, in milliseconds. */
  readonly pollMs: number;
  /** The time between attempts while the collector does not acknowledge, in milliseconds. */
  readonly retryMs: number;
  /** The time for which stopping may go on sending, in milliseconds. */
  readonly drainMs: number;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/**
 * Sends every line at least once. Disposing sends the rest first, and rejects when that was not
 * possible in time.
 */
export function startForwarder(options: ForwarderOptions): AsyncDisposable {
  const stopping = new AbortController();
  const files = followLogFiles(options.directories, options.stateDirectory);
  const running = follow(options, files, stopping.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
      await using _closing = files;
      await drain(options, files);
    },
  };
}

async function follow(
  options: ForwarderOptions,
  files: LogFiles,
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    const acknowledged = await forwardAll(options, files, false);
    const pauseMs = acknowledged ? options.pollMs : options.retryMs;
    await sleep(pauseMs, undefined, { signal: stopping }).catch(() => {});
  }
}

async function drain(options: ForwarderOptions, files: LogFiles): Promise<void> {
  const deadlineMs = performance.now() + options.drainMs;
  while (!(await forwardAll(options, files, true))) {
    if (performance.now() > deadlineMs) {
      throw new Error(
        `lines were left: no acknowledgement from ${options.instance} within ${options.drainMs} ms`,
      );
    }
    await sleep(Math.min(options.retryMs, 100));
  }
}

/**
 * Sends everything that is there at the moment. Returns false when the collector did not accept it.
 */
async function forwardAll(
  options: ForwarderOptions,
  files: LogFiles,
  last: boolean,
): Promise<boolean> {
  for (const file of await files.scan()) {
    // The deletion is checked before reading: what is written to a deleted file afterwards was
    // written for nobody.
    const deleted = await file.deleted();
    if (!(await forwardFile(options, file, last || deleted))) return false;
    if (deleted) await files.forget(file);
  }
  await files.savePositions();
  return true;
}

async function forwardFile(
  options: ForwarderOptions,
  file: TailedFile,
  last: boolean,
): Promise<boolean> {
  for (;;) {
    const chunk = await file.read(last);
    if (chunk === null) return true;
    if (!(await send(options, file.source, chunk))) return false;
    file.acknowledge(chunk);
  }
}

async function send(options: ForwarderOptions, source: string, chunk: Chunk): Promise<boolean> {
  // A chunk of empty lines holds no events.
  if (chunk.lines.length === 0) return true;
  const time = Date.now() / 1000;
  const events = chunk.lines.map((event) =>
    JSON.stringify({
      time,
      host: options.host,
      source,
      event,
      fields: { client: options.clientName },
    }),
  );
  try {
    const { status } = await requestJson(`${baseUrl(options.instance)}/services/collector/event`, {
      method: "POST",
      body: events.join("\n"),
      ...(options.token === undefined
        ? {}
        : { headers: { authorization: `Splunk ${options.token}` } }),
    });
    if (status !== 200) options.log("forwarder.refused", { status });
    return status === 200;
  } catch (error) {
    options.log("forwarder.unreachable", { instance: options.instance, reason: String(error) });
    return false;
  }
}

function baseUrl(instance: string): string {
  return instance.includes("://") ? instance.replace(/\/+$/, "") : `http://${instance}`;
}
