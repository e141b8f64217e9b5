import { randomInt } from "node:crypto";
import { parseInvocation } from "./arguments.ts";
import { USAGE } from "./usage.ts";
import { doctor, reportLine } from "./doctor.ts";
import type { RunArguments } from "#e2e/base/run-arguments.ts";
import { EXIT_CODE, UsageError } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import { listenForInterrupts, watchOutput } from "./interruption.ts";

const outputClosed = watchOutput();

async function main(argv: readonly string[]): Promise<ExitCode> {
  try {
    return await dispatch(argv);
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\nnpm run e2e -- --help shows the usage\n`);
      return EXIT_CODE.usage;
    }
    const isKnown = error instanceof Error && KNOWN_CONDITIONS.has(error.name);
    process.stderr.write(`${isKnown ? error.message : stackOf(error)}\n`);
    return EXIT_CODE.infrastructure;
  }
}

/**
 * Errors whose message tells the user what to do, so that no stack is printed. They are listed by name, since most of
 * their classes are loaded only where they can be thrown.
 */
const KNOWN_CONDITIONS: ReadonlySet<string> = new Set([
  "CommandError",
  "ContextError",
  "NoEngineError",
  "PlantingError",
  "StepError",
]);

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

async function dispatch(argv: readonly string[]): Promise<ExitCode> {
  const invocation = parseInvocation(argv, process.env, () => randomInt(2 ** 32));
  if (invocation.command === "run") return await runScenarios(invocation.run);
  if (invocation.command === "compare") return await compare(invocation.runs);
  if (invocation.command === "chaos") return await runChaos(invocation.chaos);
  if (invocation.command === "replay") return await runReplay(invocation.replay);
  return await COMMANDS[invocation.command]();
}

type Invocation = ReturnType<typeof parseInvocation>;

const COMMANDS: Record<
  Exclude<Invocation["command"], "run" | "compare" | "chaos" | "replay">,
  () => Promise<ExitCode>
> = {
  help: async () => {
    process.stdout.write(USAGE);
    return EXIT_CODE.passed;
  },
  doctor: runDoctor,
  list,
  clean: runClean,
};

async function runDoctor(): Promise<ExitCode> {
  const { clusterTools } = await import("./doctor-clusters.ts");
  const findings = [...(await doctor()), ...(await clusterTools())];
  for (const finding of findings) process.stdout.write(`${reportLine(finding)}\n`);
  return findings.every(({ ok, isOptional = false }) => ok || isOptional)
    ? EXIT_CODE.passed
    : EXIT_CODE.infrastructure;
}

async function list(): Promise<ExitCode> {
  const { SCENARIOS } = await import("#e2e/scenarios/index.ts");
  for (const { number, name, title, needs = [] } of SCENARIOS) {
    const needed = needs.length === 0 ? "" : `    needs ${needs.join(", ")}\n`;
    process.stdout.write(`${String(number).padStart(2)}  ${name}\n    ${title}\n${needed}`);
  }
  return EXIT_CODE.passed;
}

async function runClean(): Promise<ExitCode> {
  const { clean } = await import("./clean.ts");
  const { removed, left } = await clean();
  for (const what of removed) process.stdout.write(`removed ${what}\n`);
  for (const what of left) process.stderr.write(`not removed: ${what}\n`);
  process.stdout.write(`${removed.length} removed\n`);
  return left.length === 0 ? EXIT_CODE.passed : EXIT_CODE.infrastructure;
}

async function compare([left, right]: readonly [string, string]): Promise<ExitCode> {
  const { compareRuns } = await import("#e2e/trace/compare-runs.ts");
  const { equal, lines } = await compareRuns(left, right);
  process.stdout.write(lines);
  return equal ? EXIT_CODE.passed : EXIT_CODE.expectationBroke;
}

async function runChaos(
  chaos: Extract<Invocation, { command: "chaos" }>["chaos"],
): Promise<ExitCode> {
  // The seed is printed at once, since the modules that are loaded next take a second.
  process.stdout.write(`seed ${chaos.seed}\n`);
  return await onSoundMachine(async (signal) => {
    const options = { arguments: chaos, terminal: process.stdout, signal };
    if (chaos.prove !== null) {
      return await (await import("#e2e/chaos/prove/run-prove.ts")).runProve(options);
    }
    return await (await import("#e2e/chaos/run-chaos.ts")).runChaos(options);
  });
}

async function runReplay(
  replay: Extract<Invocation, { command: "replay" }>["replay"],
): Promise<ExitCode> {
  process.stdout.write(`replay ${replay.path}\n`);
  return await onSoundMachine(async (signal) => {
    const module = await import("#e2e/chaos/run-replay.ts");
    return await module.runReplay({ arguments: replay, terminal: process.stdout, signal });
  });
}

async function runScenarios(
  run: Extract<Invocation, { command: "run" }>["run"],
): Promise<ExitCode> {
  return await onSoundMachine(async (signal) => {
    const scenarios = await chosenScenarios(run);
    const { runEndToEnd } = await import("#e2e/runner/run-end-to-end.ts");
    return await runEndToEnd({ arguments: run, scenarios, terminal: process.stdout, signal });
  });
}

/** Returns the scenarios that are named, or all; with a configuration of the user, its scenario and those named. */
async function chosenScenarios({ scenarios, configuration }: RunArguments) {
  const { selectScenarios } = await import("#e2e/scenarios/index.ts");
  if (configuration === undefined) return selectScenarios(scenarios);
  const { userScenario } = await import("#e2e/scenarios/user-configuration.ts");
  const others = scenarios.length === 0 ? [] : selectScenarios(scenarios);
  return [await userScenario(configuration), ...others];
}

/** Runs `work` only on a machine that can run pods. The signal aborts at ^C. */
async function onSoundMachine(work: (signal: AbortSignal) => Promise<ExitCode>): Promise<ExitCode> {
  const broken = (await doctor()).filter(({ ok }) => !ok);
  if (broken.length > 0) {
    for (const finding of broken) process.stderr.write(`${reportLine(finding)}\n`);
    return EXIT_CODE.infrastructure;
  }
  return await work(listenForInterrupts(outputClosed));
}

process.exitCode = await main(process.argv.slice(2));
