import { copyFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { reasonToSkip } from "#e2e/base/abilities.ts";
import { createAuthority } from "#fixtures/certificates.ts";
import { preflight } from "#simulator/omega/preflight/repository-preflight.ts";
import type { RunArguments } from "#e2e/base/run-arguments.ts";
import { startBrokerProvider } from "#e2e/brokers/start-broker-provider.ts";
import { checkSecrets } from "#e2e/checkers/check-secrets.ts";
import { withSessionTimeout } from "#e2e/base/durations.ts";
import { EXIT_CODE } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import { Recorder } from "#e2e/base/events.ts";
import { openScenarioSession } from "./scenario-session.ts";
import { makeDirectory } from "#e2e/base/make-directory.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import { htmlTimeline } from "#e2e/report/html.ts";
import { junitReport } from "#e2e/report/junit.ts";
import { LiveBlock } from "#e2e/report/live-block.ts";
import type { Terminal } from "#e2e/report/live-block.ts";
import { closingLines, Progress } from "#e2e/report/progress.ts";
import { rerunCommand } from "./rerun-command.ts";
import { runId } from "#e2e/base/run-id.ts";
import { runScenarios } from "./run-scenarios.ts";
import type { ScenarioResult } from "./run-scenarios.ts";
import { scenarioId } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
import type { Platform } from "#e2e/targets/platform.ts";
import { startPlatform } from "#e2e/targets/start-platform.ts";
import { compareRuns } from "#e2e/trace/compare-runs.ts";
import { readTraces } from "#e2e/trace/trace-file.ts";

export interface RunOptions {
  readonly arguments: RunArguments;
  /** The scenarios that `arguments` selects. */
  readonly scenarios: readonly Scenario[];
  readonly terminal: Terminal;
  /** Aborts at ^C. */
  readonly signal: AbortSignal;
}

/** Performs the command `run`: preflight, scenarios, reports. Returns the exit code. */
export async function runEndToEnd(options: RunOptions): Promise<ExitCode> {
  const { arguments: chosen, scenarios, terminal, signal } = options;
  if (!(await showPreflight(terminal))) return EXIT_CODE.preflight;
  // A directory without traces is reported before anything runs.
  if (chosen.compare !== null) await readTraces(chosen.compare);
  const startMs = performance.now();
  const artifacts = join(resolve(chosen.artifacts), runId(chosen.seed));
  await makeDirectory("--artifacts ($SD_ARTIFACTS_DIR)", artifacts);
  if (chosen.junit !== null) await makeDirectory("--junit", dirname(resolve(chosen.junit)));
  const block = new LiveBlock(terminal, { signal });
  const progress = new Progress(block, scenarios.length);
  const secrets = new Map<string, string>();
  progress.line(`seed ${chosen.seed}, artifacts ${artifacts}`);
  let results: readonly ScenarioResult[];
  const compileCache = await makeOwnedDirectory();
  try {
    results = await runOnPlatform(options, { artifacts, compileCache, progress, secrets });
  } finally {
    block.end();
    await removeDirectory(compileCache);
  }
  const hasTraces = results.some(({ status }) => status === "passed");
  const comparison =
    chosen.compare === null || !hasTraces ? null : await compareRuns(artifacts, chosen.compare);
  if (comparison !== null) terminal.write(comparison.lines);
  const leaks = await checkSecrets(artifacts, secrets);
  for (const leak of leaks) progress.line(`FAIL ${leak}`);
  terminal.write(
    closingLines({
      results,
      seed: chosen.seed,
      rerun: rerunCommand(chosen, results),
      artifacts,
      wallMs: performance.now() - startMs,
    }),
  );
  const broken = leaks.length > 0 || comparison?.equal === false;
  return exitCode(results, broken, signal.aborted);
}

interface RunParts {
  readonly artifacts: string;
  readonly compileCache: string;
  readonly progress: Progress;
  /** Every secret of the run. The sessions add to it. */
  readonly secrets: Map<string, string>;
}

/** Starts the target and the broker, runs the scenarios, and writes the reports. Returns the results by number. */
async function runOnPlatform(
  { arguments: chosen, scenarios, signal }: RunOptions,
  { artifacts, compileCache, progress, secrets }: RunParts,
): Promise<readonly ScenarioResult[]> {
  let results: ScenarioResult[] = [];
  await using platform = await startPlatform({
    run: chosen,
    compileCache,
    signal,
    line: (text) => progress.line(text),
    keepAtEnd: () => keepsAtEnd(chosen, results),
  });
  const jobs = chosen.jobs ?? defaultJobs();
  const authority = await createAuthority();
  await using brokers = await startBrokerProvider({
    run: chosen,
    authority,
    platform,
    jobs,
    signal,
    line: (text) => progress.line(text),
  });
  const durations = withSessionTimeout(platform.durations, brokers.sessionTimeoutMsMin);
  const place = `the target ${chosen.target} with the broker ${brokers.kind}`;
  const abilities = new Set([...platform.abilities, ...brokers.abilities]);
  await using recorder = new Recorder(join(artifacts, "events.ndjson"));
  recorder.listen((event) => progress.show(event));
  results = await runScenarios({
    scenarios: inStartOrder(scenarios),
    jobs,
    signal,
    lost: platform.lost,
    timeoutMs: (scenario) => scenario.timeoutMs?.(durations) ?? durations.scenarioMsMax,
    skipReason: ({ needs }) => reasonToSkip(needs, abilities, place),
    recordFor: (scenario) => recorder.recordFor(scenarioId(scenario)),
    open: (scenario, scenarioSignal) =>
      openScenarioSession(scenario, scenarioSignal, {
        run: chosen,
        platform,
        brokers,
        authority,
        durations,
        artifacts,
        recordEvent: recorder.recordFor(scenarioId(scenario)),
        secrets,
      }),
  });
  results.sort((left, right) => left.scenario.number - right.scenario.number);
  if (results.some(({ status }) => status === "failed")) {
    await saveNodeLogs(platform, join(artifacts, "nodes"), progress);
  }
  await brokers.saveLogs?.(join(artifacts, "broker"));
  await writeReports(chosen, artifacts, results, recorder);
  return results;
}

/** Saves the logs of the nodes. A failure does not change the result, since the logs only help to read it. */
async function saveNodeLogs(
  platform: Platform,
  directory: string,
  progress: Progress,
): Promise<void> {
  if (platform.saveNodeLogs === undefined) return;
  try {
    const missing = await platform.saveNodeLogs(directory);
    progress.line(`logs of the nodes: ${directory}`);
    if (missing !== undefined) progress.line(`some of them are missing: ${missing}`);
  } catch (error) {
    progress.line(`the logs of the nodes could not be saved: ${String(error)}`);
  }
}

/** Returns true when a cluster that the run made is kept. */
function keepsAtEnd({ keep }: RunArguments, results: readonly ScenarioResult[]): boolean {
  const failed = results.some(({ status }) => status === "failed");
  return keep === "always" || (keep === "on-failure" && failed);
}

async function showPreflight(terminal: Terminal): Promise<boolean> {
  const findings = await preflight();
  for (const { severity, place, message } of findings) {
    terminal.write(`preflight ${severity}, ${place}: ${message}\n`);
  }
  return findings.every(({ severity }) => severity !== "error");
}

async function writeReports(
  chosen: RunArguments,
  artifacts: string,
  results: readonly ScenarioResult[],
  recorder: Recorder,
): Promise<void> {
  const junit = join(artifacts, "junit.xml");
  await writeFile(
    junit,
    junitReport(results, {
      seed: String(chosen.seed),
      target: chosen.target,
      broker: chosen.broker.kind,
      durations: chosen.realTime ? "real-time" : "short",
    }),
  );
  if (chosen.junit !== null) await copyFile(junit, chosen.junit);
  const title = `End-to-end run, seed ${chosen.seed}`;
  await writeFile(join(artifacts, "timeline.html"), htmlTimeline(results, recorder.events, title));
}

function inStartOrder(scenarios: readonly Scenario[]): Scenario[] {
  return scenarios.toSorted(
    (left, right) =>
      Number(right.long ?? false) - Number(left.long ?? false) || left.number - right.number,
  );
}

/** Returns a number of jobs above the number of processors, since most scenarios mostly wait. */
function defaultJobs(): number {
  return Math.min(8, Math.max(2, availableParallelism() * 2));
}

function exitCode(
  results: readonly ScenarioResult[],
  isBroken: boolean,
  interrupted: boolean,
): ExitCode {
  const kinds = new Set(results.map((result) => result.failure?.kind));
  if (interrupted) return EXIT_CODE.interrupted;
  if (isBroken || kinds.has("expectation")) return EXIT_CODE.expectationBroke;
  const hasBroken = kinds.has("infrastructure") || kinds.has("fault-never-fired");
  // A run in which every scenario was skipped has proved nothing.
  const hasRun = results.some(({ status }) => status !== "skipped");
  return hasBroken || !hasRun ? EXIT_CODE.infrastructure : EXIT_CODE.passed;
}
