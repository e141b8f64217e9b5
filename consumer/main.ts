import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";

import { createActionSender } from "./adapters/action-sender.ts";
import { createSecrets } from "./adapters/ckms.ts";
import { createSystemClock } from "./adapters/clock.ts";
import { createFiles } from "./adapters/files/files.ts";
import { createHealthServer } from "./adapters/health.ts";
import { createIdentitySource } from "./adapters/athenz/identity.ts";
import { createKafkaBroker } from "./adapters/kafka/kafka.ts";
import { createLog } from "./adapters/log/log.ts";
import type { RunningLog } from "./adapters/log/log.ts";
import { createMetrics } from "./adapters/metrics.ts";
import type { MetricsRegistry } from "./adapters/metrics.ts";
import { createSystemRandom } from "./adapters/random.ts";
import { reportRefusal, tellRefusal } from "./adapters/log/refusal.ts";
import { clientIdOf } from "./config/client-id.ts";
import { checkEnvironment } from "./config/environment.ts";
import { loadConfig } from "./config/load-config.ts";
import type { Config } from "./config/load-config.ts";
import { isJsonObject } from "./json.ts";
import { ConsumerError, EXIT_CODE } from "./errors.ts";
import type { ExitCode } from "./errors.ts";
import { runProcess } from "./process/run-process.ts";

const USAGE = `usage: kafka_consumer --config FILE [--log-level debug|info|warn|error]
       kafka_consumer history list|show|stats|verify|resolve
       kafka_consumer skip
       kafka_consumer pause|resume
       kafka_consumer dead-letter redrive
       kafka_consumer check --config FILE
       kafka_consumer rules test|explain --config FILE
           each with --help; kafka_consumer --version`;
/** Commands for people; everything else is the consumer itself. */
const OPERATIONS = new Set(["check", "dead-letter", "history", "pause", "resume", "rules", "skip"]);
/** The longest time that something unclosed may keep the process alive after its end, in milliseconds. */
const LINGER_MS_MAX = 1000;

process.exitCode = await main(process.argv.slice(2), process.env);
// Node ends its handlers of signals before the process, so a SIGTERM in between would end it with 143. `exit` leaves
// the handlers in place.
process.once("beforeExit", () => process.exit());
// This is a timer only for the case that something keeps the process alive; it is unref'd, so that it does not hold
// up a clean end.
setTimeout(endByForce, LINGER_MS_MAX).unref();

/**
 * `process.exit` waits for threads that hang in a system call, as those of an unreachable NFS volume do: then only
 * a signal ends the process, and the container with 137.
 */
function endByForce(): void {
  const hanging = process
    .getActiveResourcesInfo()
    .filter((resource) => resource.startsWith("FSReq"));
  if (hanging.length === 0) process.exit();
  process.stderr.write(
    `kafka_consumer: ${hanging.length} file operations hang: ended by SIGKILL\n`,
  );
  process.kill(process.pid, "SIGKILL");
}

/**
 * Runs the consumer or one of its commands: reads arguments, environment and configuration, creates the real
 * adapters, and returns the exit code.
 */
async function main(argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<ExitCode> {
  let log: RunningLog | undefined;
  process.once("uncaughtException", (error, origin) => {
    void endInternally(log, error, origin, environment);
  });
  // The reader of stderr has gone; the lines that are written there are lost, and nothing else happens.
  process.stderr.on("error", () => undefined);
  // Listened to from the start, so that a stop during start-up is a clean one.
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const) {
    process.on(signal, () => stopping.abort(new Error(signal)));
  }
  // These signals would end the process without a drain if they had no handler.
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
    process.on(signal, () => log?.warn("signal.ignored", { signal }));
  }
  const [first] = argv;
  if (first === "--help" || first === "-h") {
    print(USAGE);
    return EXIT_CODE.clean;
  }
  if (first === "--version") {
    print(await versionOf());
    return EXIT_CODE.clean;
  }
  if (OPERATIONS.has(first ?? "")) return operate(argv, environment, stopping.signal);
  let config: Config;
  let kafka: Config["kafka"];
  try {
    const { file, logLevel } = parseArguments(argv);
    checkEnvironment(environment);
    config = await loadConfig(file, {
      environment,
      ...(logLevel === undefined ? {} : { logLevel }),
    });
    kafka = { ...config.kafka, clientId: clientIdOf(config.kafka, environment) };
  } catch (error) {
    return reportRefusal(error, environment);
  }
  const pod = {
    name: environment.POD_NAME ?? "local",
    uid: environment.POD_UID ?? `local-${String(process.pid)}`,
  };
  const metrics = createMetrics();
  log = createLog({ ...config.log, base: { pod: pod.name }, metrics });
  return await start({ ...config, kafka }, pod, log, metrics, stopping.signal);
}

/** The version of the package, which stands beside this folder in the image too. */
async function versionOf(): Promise<string> {
  const manifest: unknown = JSON.parse(
    await readFile(new URL("../package.json", import.meta.url), "utf8"),
  );
  return isJsonObject(manifest) ? String(manifest["version"]) : "unknown";
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function operate(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  stop: AbortSignal,
): Promise<ExitCode> {
  // The reader of a command's output may have enough of it, as `head` has.
  process.stdout.on("error", () => process.exit());
  try {
    checkEnvironment(environment);
    // Loaded only here: the consumer itself starts without it.
    const { runOperation } = await import("./operations/command.ts");
    return await runOperation(argv, { environment, print, stop });
  } catch (error) {
    return tellRefusal(error);
  }
}

async function start(
  config: Config,
  pod: { readonly name: string; readonly uid: string },
  log: RunningLog,
  metrics: MetricsRegistry,
  stop: AbortSignal,
): Promise<ExitCode> {
  const clock = createSystemClock();
  const identity = createIdentitySource({ ...config.athenz, clock, log });
  using sender = createActionSender({ identity });
  return await runProcess({
    config,
    clock,
    random: createSystemRandom(),
    files: createFiles(config.history.directory, {
      mountinfoPath: process.env.MOUNTINFO_FILE,
    }),
    identity,
    secrets: createSecrets({ ...config.ckms, identity, log }),
    createBroker: (credentials) =>
      createKafkaBroker({ kafka: config.kafka, credentials, identity, log, metrics }),
    sender,
    log,
    metrics,
    health: createHealthServer({ ...config.health, metrics, log }),
    pod,
    stop,
    flushLog: () => log.flush(),
  });
}

function parseArguments(argv: readonly string[]): { file: string; logLevel: string | undefined } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { config: { type: "string" }, "log-level": { type: "string" } },
      strict: true,
      allowPositionals: false,
    });
    if (values.config === undefined) {
      throw new Error("--config is required");
    }
    return { file: values.config, logLevel: values["log-level"] };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConsumerError("usage", `${reason}\n${USAGE}`, { cause });
  }
}

async function endInternally(
  log: RunningLog | undefined,
  error: unknown,
  origin: string,
  environment: NodeJS.ProcessEnv,
): Promise<never> {
  // An error on the way to the end must neither delay it nor cut off the log line.
  process.on("uncaughtException", () => undefined);
  try {
    if (log === undefined) await reportRefusal(error, environment);
    else log.error("process.uncaught", { origin, exitCode: EXIT_CODE.internal, error });
    await log?.flush();
  } finally {
    process.exit(EXIT_CODE.internal);
  }
}
