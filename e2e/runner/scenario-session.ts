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
import type { Tell } from "#e2e/base/events.ts";
import { tellRecorded, watchDeployment } from "./observe.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import { seededRandom } from "#e2e/base/random.ts";
import type { ScenarioSession } from "./run-scenarios.ts";
import { scenarioId } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
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
  readonly tell: Tell;
  /** Every secret of the run. The session adds to it. */
  readonly secrets: Map<string, string>;
}

/** Opens the session of one scenario, which makes its deployments and keeps their artifacts. */
export function openScenarioSession(
  scenario: Scenario,
  signal: AbortSignal,
  options: ScenarioSessionOptions,
): ScenarioSession {
  const { run, platform, brokers, authority, durations, tell } = options;
  const random = seededRandom(run.seed, scenario.name);
  const directory = join(options.artifacts, scenarioId(scenario));
  const opened: OpenedDeployment[] = [];
  const logsDirectory = (index: number): string =>
    join(directory, opened.length === 1 ? "logs" : `logs-${index + 1}`);
  const traceOf = async (records: readonly RecordedDeployment[]): Promise<void> => {
    const deployments = await Promise.all(
      records.map(async (record, index) => await record(logsDirectory(index))),
    );
    const isLogCut = deployments.some(({ logs }) => logs.some((log) => isCut(log)));
    const unseen = [...platform.unseen, ...unseenAt(brokers), ...(isLogCut ? TOLD_BY_LOGS : [])];
    await writeTrace(directory, {
      scenario: scenarioId(scenario),
      target: run.target,
      unseen,
      deployments: deployments.map((record) => deploymentLives(record)),
    });
  };
  return {
    context: {
      signal,
      durations,
      random,
      step: (text) => tell("scenario", "scenario.step", { text }),
      deploy: async (deploymentOptions: DeploymentOptions = {}) => {
        signal.throwIfAborted();
        const making = makeOwnedDirectory();
        const opening = making.then((deploymentDirectory) =>
          openDeployment(deploymentOptions, {
            directory: deploymentDirectory,
            platform,
            brokers,
            authority,
            durations,
            realTime: run.realTime,
            random,
            signal,
            tell,
          }),
        );
        // The order is that in which the scenario asks for deployments, whichever is made first.
        opened.push({ directory: making, opening });
        const deployment = await opening;
        watchDeployment(deployment, tell);
        return deployment;
      },
    },
    close: async (failed) => {
      const errors: unknown[] = [];
      const attempt = async (work: Promise<unknown>): Promise<void> => {
        await work.catch((error: unknown) => errors.push(error));
      };
      // When a scenario has passed, all its deployments were opened. They are recorded together, before the first one
      // begins to end.
      const records: RecordedDeployment[] = [];
      const record = async (): Promise<void> => {
        const deployments = await Promise.all(opened.map(({ opening }) => opening));
        records.push(
          ...(await Promise.all(deployments.map((deployment) => recordDeployment(deployment)))),
        );
      };
      if (!failed) await attempt(record());
      const keep =
        !isInterrupted(signal, platform) &&
        (run.keep === "always" || (run.keep === "on-failure" && failed));
      for (const [index, { opening, directory: making }] of opened.entries()) {
        // A deployment that could not be opened has taken itself down. Its error is that of the scenario.
        const deployment = await opening.catch(() => null);
        if (deployment !== null) {
          const logs = logsDirectory(index);
          await attempt(tellRecorded(deployment, tell));
          const suffix = opened.length === 1 ? "" : `-${index + 1}`;
          const { secrets } = options;
          errors.push(
            ...(await closeDeployment(deployment, { logs, artifacts: directory, suffix, secrets })),
          );
          if (failed && !isInterrupted(signal, platform))
            tell("run", "deployment.logs", { directory: logs });
        }
        // There is no deployment without a directory.
        const deploymentDirectory = await making.catch(() => null);
        if (deploymentDirectory === null) continue;
        if (keep) tell("run", "deployment.kept", { directory: deploymentDirectory });
        else await attempt(removeDirectory(deploymentDirectory));
      }
      if (!failed && errors.length === 0) await attempt(traceOf(records));
      await attempt(judgeArtifacts(directory, options.secrets));
      if (errors.length > 0) throw errors[0];
    },
  };
}

interface OpenedDeployment {
  readonly directory: Promise<string>;
  readonly opening: Promise<TestDeployment>;
}

async function judgeArtifacts(
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

/**
 * Returns true when the user interrupted the scenario. The signal also aborts when the time of the scenario is over and
 * when the platform is lost; both are failures.
 */
function isInterrupted(signal: AbortSignal, { lost }: Platform): boolean {
  const failed = signal.reason instanceof ExpectationError || lost?.aborted === true;
  return signal.aborted && !failed;
}
