import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { integerOption, textOption, textsOption, UsageError } from "#simulator/process/command.ts";
import type { Command, OptionValues } from "#simulator/process/command.ts";
import { localControl } from "./control/local-control.ts";
import { isLoopback } from "./control/loopback.ts";
import type { ControlServerOptions } from "./control/control-server.ts";
import type {
  KafkaOptions,
  ListenerOptions,
  ListenerTls,
  TopicOptions,
} from "./cluster/options.ts";
import type { SaslMechanism } from "./security/users.ts";
import { PROTOCOL_EVENTS_MAX } from "./protocol/protocol-history.ts";
import { startKafka } from "./cluster/start-kafka.ts";

const MECHANISMS: readonly SaslMechanism[] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
const CLIENT_CERTIFICATE = ["none", "requested", "required"] as const;

/**
 * Records are outside V8's heap, but count towards the next collection: by default, every 14 MB of
 * them would collect a heap of 18 MB, which takes 20 ms of both cores. With this flag it happens
 * every 70 MB.
 */
const COLLECT_RARELY = "--heap-growing-percent=400";

/**
 * The command that runs a cluster with one listener. It prints `bootstrap` in the form that clients
 * take. Passwords come from a file, never from argv.
 */
export const command: Command = {
  name: "kafka",
  summary: "embedded Kafka-protocol broker",
  options: {
    nodes: { type: "string" },
    host: { type: "string" },
    "advertised-host": { type: "string" },
    port: { type: "string", multiple: true },
    "tls-cert": { type: "string" },
    "tls-key": { type: "string" },
    "tls-ca": { type: "string" },
    "client-certificate": { type: "string" },
    sasl: { type: "string", multiple: true },
    "users-file": { type: "string" },
    topic: { type: "string", multiple: true },
    "session-timeout-ms-min": { type: "string" },
    "initial-rebalance-delay-ms": { type: "string" },
    "no-auto-create-topics": { type: "boolean" },
    /**
     * Serves the control of the broker (control/operations.ts) over HTTP. By default it is not
     * served.
     */
    "control-port": { type: "string" },
    /** Defaults to 127.0.0.1. Any address but loopback needs a token. */
    "control-host": { type: "string" },
    "control-token-file": { type: "string" },
  },
  async start(values) {
    setFlagsFromString(COLLECT_RARELY);
    const controlServer = await controlServerOptions(values);
    await using starting = new AsyncDisposableStack();
    const cluster = starting.use(
      await startKafka({
        ...(await kafkaOptions(values)),
        // The events can be read through the control server only.
        ...(controlServer !== undefined && { protocolEventsMax: PROTOCOL_EVENTS_MAX }),
      }),
    );
    const listening: Record<string, string> = { bootstrap: cluster.bootstrap().join(",") };
    if (controlServer !== undefined) {
      // The control server loads a web server, so it is imported only when it is used.
      const { startControlServer } = await import("./control/control-server.ts");
      const control = starting.use(localControl(cluster));
      listening.control = starting.use(await startControlServer(control, controlServer)).url;
    }
    const stack = starting.move();
    return { listening, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
};

async function controlServerOptions(
  values: OptionValues,
): Promise<ControlServerOptions | undefined> {
  if (values["control-port"] === undefined) return undefined;
  const host = textOption(values, "control-host", "127.0.0.1");
  const controlServer = { host, port: port("control-port", textOption(values, "control-port")) };
  if (values["control-token-file"] === undefined) {
    if (isLoopback(host)) return controlServer;
    throw new UsageError(
      `--control-host ${host} is not loopback: --control-token-file is required`,
    );
  }
  const file = textOption(values, "control-token-file");
  const token = (await readFile(file, "utf8")).trim();
  if (token === "") throw new UsageError(`--control-token-file ${file} is empty`);
  return { ...controlServer, token };
}

async function kafkaOptions(values: OptionValues): Promise<KafkaOptions> {
  const options: KafkaOptions = {
    nodes: integerOption(values, "nodes", 1),
    listeners: [await listener(values)],
    users: await users(values),
    topics: textsOption(values, "topic").map((text) => topic(text)),
    sessionTimeoutMsMin: integerOption(values, "session-timeout-ms-min", 6000),
    initialRebalanceDelayMs: integerOption(values, "initial-rebalance-delay-ms", 0),
    autoCreateTopics: values["no-auto-create-topics"] !== true,
  };
  if (options.nodes === 0) throw new UsageError("--nodes must be at least 1, got 0");
  return options;
}

async function listener(values: OptionValues): Promise<ListenerOptions> {
  const host = textOption(values, "host", "127.0.0.1");
  const tls = await listenerTls(values);
  const mechanisms = textsOption(values, "sasl").map((text) => mechanism(text));
  return {
    name: "main",
    host,
    advertisedHost: textOption(values, "advertised-host", host),
    ports: textsOption(values, "port").map((text) => port("port", text)),
    ...(tls === undefined ? {} : { tls }),
    ...(mechanisms.length === 0 ? {} : { sasl: { mechanisms } }),
  };
}

async function listenerTls(values: OptionValues): Promise<ListenerTls | undefined> {
  if (values["tls-cert"] === undefined && values["tls-key"] === undefined) return undefined;
  const wanted = textOption(values, "client-certificate", "none");
  const clientCertificate = CLIENT_CERTIFICATE.find((candidate) => candidate === wanted);
  if (clientCertificate === undefined) {
    throw new UsageError(
      `--client-certificate must be one of ${CLIENT_CERTIFICATE.join(", ")}, got ${wanted}`,
    );
  }
  const cert = await readFile(textOption(values, "tls-cert"), "utf8");
  const key = await readFile(textOption(values, "tls-key"), "utf8");
  if (values["tls-ca"] === undefined) return { cert, key, clientCertificate };
  const ca = await readFile(textOption(values, "tls-ca"), "utf8");
  return { cert, key, ca, clientCertificate };
}

/** Reads a JSON object of passwords by user name. */
async function users(values: OptionValues): Promise<Record<string, string>> {
  if (values["users-file"] === undefined) return {};
  const file = textOption(values, "users-file");
  const parsed: unknown = JSON.parse(await readFile(file, "utf8"));
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`--users-file ${file} must hold a JSON object of passwords by user name`);
  }
  const entries = Object.entries(parsed);
  const wrong = entries.find(([, password]) => typeof password !== "string");
  if (wrong !== undefined) {
    throw new UsageError(`--users-file ${file}: the password of ${wrong[0]} must be a string`);
  }
  return Object.fromEntries(entries);
}

function mechanism(text: string): SaslMechanism {
  const known = MECHANISMS.find((candidate) => candidate === text.toUpperCase());
  if (known === undefined) {
    throw new UsageError(`--sasl must be one of ${MECHANISMS.join(", ")}, got ${text}`);
  }
  return known;
}

/** Parses `NAME` or `NAME:PARTITIONS`. */
function topic(text: string): TopicOptions {
  const [, name, partitions] = /^([^:]+)(?::([1-9]\d*))?$/.exec(text) ?? [];
  if (name === undefined) {
    throw new UsageError(`--topic must be NAME or NAME:PARTITIONS, got ${text}`);
  }
  return partitions === undefined ? { name } : { name, partitions: Number(partitions) };
}

function port(option: string, text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65_535) {
    throw new UsageError(`--${option} must be 0 to 65535, got ${text}`);
  }
  return number;
}
