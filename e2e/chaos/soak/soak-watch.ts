import { createWriteStream } from "node:fs";
import type { WriteStream } from "node:fs";
import { once } from "node:events";
import { podName } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";
import type { ScheduleProgress } from "#e2e/chaos/engine/schedule-scenario.ts";
import { samplePod } from "./pod-sample.ts";
import { sampleRunner } from "./runner-sample.ts";
import type { SoakSample } from "./sample.ts";
import { sampleVolume } from "./volume-sample.ts";

export interface SoakWatchOptions {
  /** The file that receives a line for each sample; it is created. */
  readonly file: string;
  readonly intervalMs: number;
}

/** Faults after which a process begins a new journal: a failed write, or a step of the clock. */
const BEGINS_JOURNALS = /^(?:volume|clock)\./;

/** The longest time to wait for a pod; after that it has no sample this time. */
const ANSWER_MS_MAX = 2000;
/**
 * The number of rounds between two listings of a volume, since a listing is many requests in a
 * cluster.
 */
const VOLUME_ROUNDS = { local: 1, cluster: 6 } as const;

/**
 * Measures this process, and the pods and the volume of every deployment that it follows, again and
 * again.
 */
export class SoakWatch implements AsyncDisposable {
  readonly samples: SoakSample[] = [];
  readonly #deployments = new Map<string, TestDeployment>();
  /** Deployments whose number of journals has no bound, because of their faults. */
  readonly #disturbed = new Set<string>();
  readonly #ending = new AbortController();
  readonly #file: WriteStream;
  readonly #done: Promise<void>;

  private constructor({ file, intervalMs }: SoakWatchOptions) {
    this.#file = createWriteStream(file, { flags: "wx" });
    // A full disk must end the run with its own message, which the disposal below throws.
    this.#file.on("error", () => {});
    this.#done = this.#watch(intervalMs);
  }

  static start(options: SoakWatchOptions): SoakWatch {
    return new SoakWatch(options);
  }

  /** Measures that deployment too, under this name, from now on. */
  follow(name: string, deployment: TestDeployment): void {
    this.#deployments.set(name, deployment);
  }

  /** Follows or leaves the deployment of a schedule, depending on how far it has come. */
  see(name: string, { steps, phase, deployment }: ScheduleProgress): void {
    const isDisturbed = steps.some(
      ({ fault, inForce, outcome }) =>
        BEGINS_JOURNALS.test(fault) && (inForce || outcome === "fired"),
    );
    if (isDisturbed) this.#disturbed.add(name);
    if (phase === "ended") this.leave(name);
    else if (deployment !== null) this.follow(name, deployment);
  }

  /** Stops measuring a deployment that is taken down. */
  leave(name: string): void {
    this.#deployments.delete(name);
  }

  async #watch(intervalMs: number): Promise<void> {
    const { signal } = this.#ending;
    for (let round = 0; !signal.aborted; round += 1) {
      const atMs = Date.now();
      this.#add(await sampleRunner(atMs));
      const deployments = [...this.#deployments];
      await Promise.all(
        deployments.map(
          async ([name, deployment]) => await this.#sampleDeployment(name, deployment, atMs, round),
        ),
      );
      await pause(intervalMs, signal).catch(() => {});
    }
  }

  /** Samples a deployment. One that is being taken down has no samples any more. */
  async #sampleDeployment(
    name: string,
    deployment: TestDeployment,
    atMs: number,
    round: number,
  ): Promise<void> {
    const { target } = deployment;
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(ANSWER_MS_MAX)]);
    const pods = await target.pods().catch(() => []);
    const samples = await Promise.all(
      pods.map(async (pod) => {
        const metrics = async () => await target.get(podName(pod), "/metrics");
        return await samplePod({ pod: podName(pod), metrics }, atMs, signal);
      }),
    );
    for (const sample of samples) if (sample !== null) this.#add(sample);
    const rounds = target.cluster === null ? VOLUME_ROUNDS.local : VOLUME_ROUNDS.cluster;
    if (round % rounds !== 0 || this.#ending.signal.aborted) return;
    const volume = await sampleVolume(deployment, {
      subject: name,
      isDisturbed: this.#disturbed.has(name),
      atMs,
    }).catch(() => null);
    if (volume !== null && this.#deployments.has(name)) this.#add(volume);
  }

  #add(sample: SoakSample): void {
    this.samples.push(sample);
    this.#file.write(`${JSON.stringify(sample)}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error("the run is over"));
    await this.#done;
    if (this.#file.errored !== null) throw this.#file.errored;
    if (this.#file.closed) return;
    this.#file.end();
    await once(this.#file, "close");
  }
}
