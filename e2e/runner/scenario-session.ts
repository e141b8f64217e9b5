import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Authority } from "#fixtures/certificates.ts";
import type { RunArguments } from "#e2e/base/run-arguments.ts";
import type { BrokerProvider } from "#e2e/brokers/broker-provider.ts";
import { checkLogLines } from "#e2e/checkers/check-log-lines.ts";
import { checkSecrets } from "#e2e/checkers/check-secrets.ts";
import { closeDeployment } from "#e2e/deployment/close-deployment.ts";
import type { Durations } from "#e2e/base/durations.ts";
import { ExpectationError } from "#e2e/errors.ts";
import type { RecordEvent } from "#e2e/base/events.ts";
import { recordServices, watchDeployment } from "./observe.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import { seededRandom } from "#e2e/base/random.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { ScenarioSession } from "./run-scenarios.ts";
import { scenarioId } from "./scenario.ts";
import type { Scenario, ScenarioContext } from "./scenario.ts";
import { openDeployment } from "#e2e/deployment/open-deployment.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { DeploymentOptions } from "#e2e/deployment/deployment-options.ts";
import type { Platform } from "#e2e/targets/platform.ts";
import { recordDeployment, unseenAt } from "#e2e/deployment/record-deployment.ts";
import type { RecordedDeployment } from "#e2e/deployment/record-deployment.ts";
import { deploymentLives } from "#e2e/trace/deployment-lives.ts";
import { isCut, TOLD_BY_LOGS } from "#e2e/trace/run-log.ts";
import { writeTrace } from "#e2e/trace/trace-file.ts";

export interface ScenarioSessionOptions {
  readonly run: RunArguments;
  readonly platform: Platform;
  readonly brokers: BrokerProvider;
  readonly authority: Authority;
  /** The durations that the platform and the broker allow. */
  readonly durations: Durations;
  /** The directory that receives one directory per scenario. */
  readonly artifacts: string;
  readonly recordEvent: RecordEvent;
  /** Every secret of the run. The session adds to it. */
  readonly secrets: Map<string, string>;
}

/** Opens the session of one scenario, which makes its deployments and keeps their artifacts. */
export function openScenarioSession(
  scenario: Scenario,
  signal: AbortSignal,
  options: ScenarioSessionOptions,
): ScenarioSession {
  return new DeployingSession(scenario, signal, options);
}

class DeployingSession implements ScenarioSession {
  readonly context: ScenarioContext;
  readonly #scenario: string;
  readonly #directory: string;
  readonly #signal: AbortSignal;
  readonly #options: ScenarioSessionOptions;
  readonly #opened: OpenedDeployment[] = [];
  readonly #errors: unknown[] = [];

  constructor(scenario: Scenario, signal: AbortSignal, options: ScenarioSessionOptions) {
    const { durations, run, recordEvent } = options;
    this.#scenario = scenarioId(scenario);
    this.#directory = join(options.artifacts, this.#scenario);
    this.#signal = signal;
    this.#options = options;
    const random = seededRandom(run.seed, scenario.name);
    this.context = {
      signal,
      durations,
      random,
      step: (text) => recordEvent("scenario", "scenario.step", { text }),
      deploy: (deploymentOptions = {}) => this.#deploy(deploymentOptions, random),
    };
  }

  async close(failed: boolean): Promise<void> {
    const { run, recordEvent, secrets } = this.#options;
    const records: RecordedDeployment[] = [];
    if (!failed) await this.#attempt(this.#record(records));
    const isEndedEarly = this.#isInterrupted();
    const keep = !isEndedEarly && (run.keep === "always" || (run.keep === "on-failure" && failed));
    for (const [index, { opening, directory: making }] of this.#opened.entries()) {
      // A deployment that could not be opened has taken itself down. Its error is that of the scenario.
      const deployment = await opening.catch(() => null);
      if (deployment !== null) await this.#closeDeployment(deployment, index, failed);
      // There is no deployment without a directory.
      const directory = await making.catch(() => null);
      if (directory === null) continue;
      if (keep) recordEvent("run", "deployment.kept", { directory });
      else await this.#attempt(removeDirectory(directory));
    }
    if (!failed && this.#errors.length === 0) await this.#attempt(this.#writeTrace(records));
    await this.#attempt(checkArtifacts(this.#directory, secrets));
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  async #deploy(options: DeploymentOptions, random: SeededRandom): Promise<TestDeployment> {
    const { run, platform, brokers, authority, durations, recordEvent } = this.#options;
    const signal = this.#signal;
    signal.throwIfAborted();
    const making = makeOwnedDirectory();
    const opening = making.then((directory) =>
      openDeployment(options, {
        directory,
        platform,
        brokers,
        authority,
        durations,
        realTime: run.realTime,
        random,
        signal,
        recordEvent,
      }),
    );
    // The order is that in which the scenario asks for deployments, whichever is made first.
    this.#opened.push({ directory: making, opening });
    const deployment = await opening;
    watchDeployment(deployment, recordEvent);
    return deployment;
  }

  /**
   * Records all deployments together, before the first one begins to end. When a scenario has passed, all of them were
   * opened.
   */
  async #record(records: RecordedDeployment[]): Promise<void> {
    const deployments = await Promise.all(this.#opened.map(({ opening }) => opening));
    records.push(
      ...(await Promise.all(deployments.map((deployment) => recordDeployment(deployment)))),
    );
  }

  async #closeDeployment(
    deployment: TestDeployment,
    index: number,
    failed: boolean,
  ): Promise<void> {
    const { recordEvent, secrets } = this.#options;
    const logs = this.#logsDirectory(index);
    await this.#attempt(recordServices(deployment, recordEvent));
    const suffix = this.#opened.length === 1 ? "" : `-${index + 1}`;
    const artifacts = this.#directory;
    this.#errors.push(...(await closeDeployment(deployment, { logs, artifacts, suffix, secrets })));
    if (failed && !this.#isInterrupted()) {
      recordEvent("run", "deployment.logs", { directory: logs });
    }
  }

  async #writeTrace(records: readonly RecordedDeployment[]): Promise<void> {
    const { run, platform, brokers } = this.#options;
    const deployments = await Promise.all(
      records.map(async (record, index) => await record(this.#logsDirectory(index))),
    );
    const isLogCut = deployments.some(({ logs }) => logs.some((log) => isCut(log)));
    const unseen = [...platform.unseen, ...unseenAt(brokers), ...(isLogCut ? TOLD_BY_LOGS : [])];
    await writeTrace(this.#directory, {
      scenario: this.#scenario,
      target: run.target,
      unseen,
      deployments: deployments.map((record) => deploymentLives(record)),
    });
  }

  #logsDirectory(index: number): string {
    return join(this.#directory, this.#opened.length === 1 ? "logs" : `logs-${index + 1}`);
  }

  /** Waits for the work and keeps its error, so that the rest of the session still ends. */
  async #attempt(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => this.#errors.push(error));
  }

  /**
   * Returns true when the user interrupted the scenario. The signal also aborts when the time of the scenario is over
   * and when the platform is lost; both are failures.
   */
  #isInterrupted(): boolean {
    const { aborted, reason } = this.#signal;
    const isLost = this.#options.platform.lost?.aborted === true;
    return aborted && !(reason instanceof ExpectationError) && !isLost;
  }
}

interface OpenedDeployment {
  readonly directory: Promise<string>;
  readonly opening: Promise<TestDeployment>;
}

/** Throws ExpectationError when an artifact shows a secret or a log line that is not as it must be. */
async function checkArtifacts(
  directory: string,
  secrets: ReadonlyMap<string, string>,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const findings = [
    ...(await checkSecrets(directory, secrets)),
    ...(await checkLogLines(directory)),
  ];
  if (findings.length > 0) throw new ExpectationError(findings.join("\n"));
}
