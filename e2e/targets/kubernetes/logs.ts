import { createWriteStream } from "node:fs";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { KubeConfig, V1Pod } from "@kubernetes/client-node";
import { podName } from "#e2e/targets/pods.ts";
import { getFromServer } from "./request.ts";
import { statusesOf } from "./history.ts";
import type { LogFile } from "#e2e/targets/target.ts";

interface FollowedLog extends LogFile {
  readonly ended: Promise<unknown>;
}

/** The time that a log may continue after its container was told to end, in milliseconds. */
const LAST_LINES_MS = 2000;

/** Keeps the output of every run of every container, since the logs of a pod are removed with it. */
export class PodLogs implements AsyncDisposable {
  readonly #config: KubeConfig;
  readonly #namespace: string;
  readonly #directory: string;
  readonly #abort = new AbortController();
  readonly #followed = new Map<string, FollowedLog>();

  /** Writes to `directory`, which must exist. */
  constructor(config: KubeConfig, namespace: string, directory: string) {
    this.#config = config;
    this.#namespace = namespace;
    this.#directory = directory;
  }

  /** Begins to follow every running container that is not followed yet. */
  observe(pod: V1Pod): void {
    for (const { name, state, restartCount } of statusesOf(pod)) {
      if (state?.running === undefined) continue;
      const key = `${podName(pod)}.${name}.${restartCount}`;
      if (this.#followed.has(key)) continue;
      this.#followed.set(key, this.#follow(podName(pod), name, restartCount));
    }
  }

  /** Returns the log of the latest run or of the one before it. Returns undefined when that run was not followed. */
  async read(pod: string, container: string, previous: boolean): Promise<string | undefined> {
    const runs = [...this.#followed.values()].filter(
      (log) => log.pod === pod && log.container === container,
    );
    const log = runs.at(previous ? -2 : -1);
    return log === undefined ? undefined : await readFile(log.path, "utf8");
  }

  files(): readonly LogFile[] {
    return [...this.#followed.values()];
  }

  /** Copies all logs to `<directory>/<pod>.<container>.<restart>.log`. */
  async save(directory: string): Promise<void> {
    await mkdir(directory, { recursive: true });
    for (const { pod, container, restartCount, path } of this.#followed.values()) {
      await copyFile(path, join(directory, `${pod}.${container}.${restartCount}.log`));
    }
  }

  #follow(pod: string, container: string, restartCount: number): FollowedLog {
    const path = join(this.#directory, `${pod}.${container}.${restartCount}.log`);
    const url = `/api/v1/namespaces/${this.#namespace}/pods/${pod}/log?container=${container}&follow=true`;
    // The file is made at once, so that a run whose log is not available has an empty one.
    const stream = createWriteStream(path);
    const ended = getFromServer(this.#config, url, this.#abort.signal)
      .then(async (response) => await pipeline(response, stream))
      .catch((error: unknown) => stream.end(`\n(the log ends here: ${String(error)})\n`));
    return { pod, container, restartCount, path, ended };
  }

  /** Waits for the last lines of containers that have ended or are about to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LAST_LINES_MS);
    const all = [...this.#followed.values()].map((log) => log.ended);
    await Promise.race([Promise.all(all), late]);
    clearTimeout(timer);
    this.#abort.abort();
    await Promise.all(all);
  }
}
