import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { messageOf } from "#consumer/errors.ts";
import { cacheDirectory, installLibrdkafka } from "#simulator/kafka/clients/install.ts";
import { startSimulator } from "#simulator/process/simulator-process.ts";

/** A broker in a process of its own, with one node and a listener without TLS and SASL. */
export interface Broker extends AsyncDisposable {
  readonly name: string;
  readonly bootstrap: string;
  /** False when topics are created by a Metadata request and never deleted. */
  readonly hasTopicAdministration: boolean;
}

/** A peer that is not available. */
export interface Absent {
  readonly name: string;
  readonly reason: string;
}

export interface EmbeddedBroker extends Broker {
  readonly pid: number;
}

export async function startEmbedded(): Promise<EmbeddedBroker> {
  const simulator = startSimulator(["kafka", "--no-auto-create-topics"]);
  const { bootstrap } = await simulator.listening();
  return {
    name: "embedded broker",
    bootstrap: String(bootstrap),
    pid: simulator.pid,
    hasTopicAdministration: true,
    [Symbol.asyncDispose]: () => simulator[Symbol.asyncDispose](),
  };
}

const MOCK = "librdkafka mock";
const KAFKA = "Apache Kafka";

interface MockBroker extends Broker {
  /**
   * The time from the start of the process until librdkafka had its first Metadata response,
   * without TLS and SASL.
   */
  readonly startMs: number;
}

/**
 * The bindings of librdkafka, which are installed as `npm run clients` installs them where they are
 * missing.
 */
export interface MockInstallation {
  readonly name: string;
  start(nodes: number): Promise<MockBroker>;
}

export async function installMock(): Promise<MockInstallation | Absent> {
  try {
    const { directory, node } = await installLibrdkafka(await cacheDirectory());
    return { name: MOCK, start: (nodes) => startMock(node, directory, nodes) };
  } catch (error) {
    return { name: MOCK, reason: messageOf(error) };
  }
}

async function startMock(node: string, directory: string, nodes: number): Promise<MockBroker> {
  const script = fileURLToPath(new URL("mock.mjs", import.meta.url));
  const child = spawn(node, [script, String(nodes)], {
    env: { PATH: process.env["PATH"] ?? "", CLIENTS_DIRECTORY: directory },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const ended = closed.then(([code]) => {
    throw new Error(`the mock broker ended with ${String(code)}`);
  });
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), ended]);
  ended.catch(() => undefined);
  const told: { bootstrap: string; durationMs: number; version: string } = JSON.parse(String(line));
  return {
    name: `${MOCK} ${told.version}`,
    bootstrap: told.bootstrap,
    startMs: told.durationMs,
    hasTopicAdministration: false,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/**
 * Describes a broker that is running already. Its topics and groups of the benchmark are deleted
 * afterwards.
 */
export function runningKafka(bootstrap: string | undefined): Broker | Absent {
  if (bootstrap === undefined) return { name: KAFKA, reason: "--kafka HOST:PORT was not given" };
  return { name: KAFKA, bootstrap, hasTopicAdministration: true, [Symbol.asyncDispose]: leave };
}

async function leave(): Promise<void> {}
