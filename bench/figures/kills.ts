import { CLAIMS_DIRECTORY } from "#consumer/history/base/layout.ts";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { embeddedBrokers } from "#e2e/brokers/embedded/embedded-provider.ts";
import { readHistoryFiles } from "#e2e/checkers/history-files.ts";
import { durationsOf } from "#e2e/base/durations.ts";
import { createIncident } from "#e2e/deployment/incidents.ts";
import type { PublishedIncident } from "#e2e/deployment/incidents.ts";
import { findViolations, progressOf } from "#e2e/deployment/find-violations.ts";
import { seededRandom } from "#e2e/base/random.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import { until } from "#e2e/base/waiting.ts";
import { startServices } from "#e2e/deployment/services.ts";
import type { Services } from "#e2e/deployment/services.ts";
import { createAuthority } from "#fixtures/certificates.ts";
import { configuration, configurationText, NAMES } from "#fixtures/configurations.ts";
import { DEPLOYMENTS } from "#simulator/omega/manifests/identities.ts";
import { readTree } from "#simulator/volume/tree.ts";
import type { BenchContext, Measure } from "../figure.ts";

/**
 * The number of parts that run side by side, since most of the time of a kill is the start of the
 * next process.
 */
const PARTS = 2;
const LOOPBACK = "127.0.0.1";
const PUBLISH_INTERVAL_MS = 25;
const ACTION_MS = 40;
/** The longest time from the first action of a process to its SIGKILL. */
const LIFE_MS_MAX = 400;
const STEP_MS_MAX = 60_000;
const MAIN = fileURLToPath(new URL("../../consumer/main.ts", import.meta.url));

interface Kills {
  /** The number of attempts that ended in doubt. */
  readonly inDoubt: number;
  /** The number of attempts that were claimed and had no outcome when their process was killed. */
  readonly underWay: number;
}

/** Figure (g) kills processes with SIGKILL at random times under load. Throws when an invariant broke. */
export const kills: Measure = async (context) => {
  const counts = Array.from({ length: PARTS }, (_, part) =>
    Math.floor((context.kills + part) / PARTS),
  );
  const results = await Promise.all(counts.map((count, part) => killMany(count, part, context)));
  const inDoubt = results.reduce((sum, result) => sum + result.inDoubt, 0);
  const underWay = results.reduce((sum, result) => sum + result.underWay, 0);
  const actions = `${1000 / PUBLISH_INTERVAL_MS} actions/s of ${ACTION_MS} ms`;
  const ratio = underWay === 0 ? null : inDoubt / underWay;
  return [
    {
      group: "g",
      what: `in-doubts of a SIGKILL, ${actions}, mean of ${context.kills}`,
      measured: inDoubt / context.kills,
      unit: "actions",
      peerName: "claimed without an outcome at the kill",
      peer: underWay / context.kills,
      ratio,
      limit: "at most 1 x; none twice, none lost",
      reached: inDoubt <= underWay,
    },
  ];
};

async function killMany(count: number, part: number, context: BenchContext): Promise<Kills> {
  const directory = join(context.directory, `kills-${part}`);
  const random = seededRandom(1, `kills ${part}`);
  const authority = await createAuthority();
  await using services = await startServices({
    host: LOOPBACK,
    partitions: 2,
    granted: true,
    mutualTls: false,
    brokerNodes: 1,
    brokers: embeddedBrokers({ authority, host: LOOPBACK }),
    authority,
  });
  await prepare(directory, services);
  await using slow = await services.actions.control.respond({ delayMs: ACTION_MS });
  const published: PublishedIncident[] = [];
  const underWay = new Set<string>();
  for (let kill = 0; kill < count; kill += 1) {
    await runUntilKilled({ directory, context, services, random, published });
    for (const claim of await claimedWithoutOutcome(directory)) underWay.add(claim);
    if ((kill + 1) % 10 === 0) {
      context.printLine(
        `g: part ${part + 1}, ${kill + 1} kills, ${underWay.size} actions under way`,
      );
    }
  }
  await stopCleanly(directory, context, services);
  if ((await slow.hits()) === 0) throw new Error("no action was sent");
  return { inDoubt: await countInDoubt(directory, services, published), underWay: underWay.size };
}

interface Life {
  readonly directory: string;
  readonly context: BenchContext;
  readonly services: Services;
  readonly random: SeededRandom;
  readonly published: PublishedIncident[];
}

/** Runs one process under load and kills it at a random time after its first action. */
async function runUntilKilled({
  directory,
  context,
  services,
  random,
  published,
}: Life): Promise<void> {
  const child = startConsumer(directory, context);
  using _ended = { [Symbol.dispose]: () => void child.kill("SIGKILL") };
  const exit = once(child, "exit");
  const effectsBefore = (await services.actions.control.effects()).length;
  const publish = async (): Promise<void> => {
    const incident = createIncident(random);
    published.push(incident);
    await services.broker.produce(NAMES.topic, { key: incident.id, value: incident.value });
  };
  // There is no backlog, so that only what the load brings is under way at the kill, and not what
  // waited for the start.
  await publish();
  await until(
    "the consumer acts",
    async () => {
      if (child.exitCode !== null) throw new Error(`the consumer ended with ${child.exitCode}`);
      return (await services.actions.control.effects()).length > effectsBefore;
    },
    { deadlineMs: STEP_MS_MAX, intervalMs: 5 },
  );
  const deathMs = performance.now() + random.below(LIFE_MS_MAX);
  while (performance.now() < deathMs) {
    await publish();
    await sleep(Math.min(PUBLISH_INTERVAL_MS, Math.max(0, deathMs - performance.now())));
  }
  child.kill("SIGKILL");
  await exit;
}

/** Lets the last process complete what is left and stop cleanly. */
async function stopCleanly(
  directory: string,
  context: BenchContext,
  services: Services,
): Promise<void> {
  const child = startConsumer(directory, context);
  const exit = once(child, "exit");
  try {
    await until(
      "everything is committed",
      async () => {
        const progress = await progressOf(services.broker, NAMES);
        return progress.every(({ end, committed }) => committed === end);
      },
      { deadlineMs: STEP_MS_MAX },
    );
  } finally {
    child.kill("SIGTERM");
  }
  const [code] = await exit;
  if (code !== 0) throw new Error(`the last consumer ended with ${String(code)}`);
}

/** Verifies what the kills left, and returns the number of outcomes in doubt. Throws the violations. */
async function countInDoubt(
  directory: string,
  { actions, broker }: Services,
  published: readonly PublishedIncident[],
): Promise<number> {
  const history = join(directory, "history");
  const files = readHistoryFiles(await readTree(join(history, CLAIMS_DIRECTORY)));
  const findings = findViolations({
    published,
    effects: await actions.control.effects(),
    files,
    deadLetters: await broker.read(NAMES.deadLetterTopic),
    progress: await progressOf(broker, NAMES),
    contractFile: [],
  });
  if (findings.length > 0) throw new Error(`after the kills:\n${findings.join("\n")}`);
  return files.outcomes.filter(({ content }) => content.outcome === "in-doubt").length;
}

async function claimedWithoutOutcome(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, "history/claims"), { recursive: true });
  const present = new Set(names);
  return names.filter(
    (name) => name.endsWith(".claim") && !present.has(name.replace(/claim$/, "outcome")),
  );
}

async function prepare(
  directory: string,
  { actions, athenz, broker, ckms }: Services,
): Promise<void> {
  await mkdir(join(directory, "history"), { recursive: true });
  await mkdir(join(directory, "logs"));
  const issued = await athenz.authority.issue({ commonName: DEPLOYMENTS.component.principal });
  await writeFile(join(directory, "certificate.pem"), issued.certificatePem);
  await writeFile(join(directory, "key.pem"), issued.privateKeyPem);
  await writeFile(join(directory, "authority.pem"), athenz.authority.certificatePem);
  const document = configuration({
    brokers: broker.bootstrap,
    ckmsUrl: ckms.url,
    actionUrl: actions.url,
    useIdentity: false,
    durations: {
      ...durationsOf(false, "local").consumer,
      // The session of the killed member has expired when the next process has started.
      sessionTimeoutMs: 1000,
      heartbeatIntervalMs: 150,
      rebalanceTimeoutMs: 2000,
      maxWaitMs: 100,
    },
  });
  const text = configurationText({
    ...document,
    history: { ...document.history, requireMount: false },
    execution: { ...document.execution, orphanWaitMs: 200 },
  });
  await writeFile(join(directory, "config.yaml"), text);
}

function startConsumer(directory: string, { compileCache }: BenchContext) {
  return spawn(process.execPath, [MAIN, "--config", join(directory, "config.yaml")], {
    env: {
      PATH: process.env["PATH"] ?? "",
      NODE_COMPILE_CACHE: compileCache,
      HEALTH_PORT: "0",
      HISTORY_DIR: join(directory, "history"),
      LOG_DIR: join(directory, "logs"),
      ATHENZ_CERT: join(directory, "certificate.pem"),
      ATHENZ_KEY: join(directory, "key.pem"),
      ATHENZ_CA: join(directory, "authority.pem"),
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
}
