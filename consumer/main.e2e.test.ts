import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import {
  copyFile,
  mkdir,
  mkdtemp,
  open as openFile,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, vi, test } from "vitest";

import { repeatedKeys } from "#fixtures/json-keys.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const REPOSITORY = fileURLToPath(new URL("../", import.meta.url));
const LAUNCHER = join(REPOSITORY, "deploy_target/omega/bin/kafka_consumer");
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "main-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function run(
  parameters: readonly string[],
  environment: Record<string, string> = {},
  nodeOptions: readonly string[] = [],
) {
  const child = spawn(process.execPath, [...nodeOptions, MAIN, ...parameters], {
    env: {
      PATH: process.env.PATH,
      HEALTH_PORT: "0",
      LOG_DIR: join(directory, "logs"),
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    // Listening: start-up is under way, and waits for what is not there.
    if (environment.STOP_AT !== undefined && output.includes(environment.STOP_AT)) {
      child.kill("SIGTERM");
    }
    if (environment.STOP_FROM !== undefined && output.includes(environment.STOP_FROM)) {
      void killUntilEnded(child);
    }
  });
  child.stderr.on("data", (chunk: Buffer) => void (errors += chunk.toString()));
  const [code, signal]: unknown[] = await once(child, "close");
  return { code: Number(code), signal, output, errors };
}

/** A signal in every moment until the process is gone. */
async function killUntilEnded(child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const config = (more = "") => `version: 1
kafka:
  brokers: ["127.0.0.1:9"]
  groupId: sre-kafka-consumer
  topics: [bigpanda.incidents]
  deadLetterTopic: bigpanda.incidents.dead-letter
  sasl: { username: sre-consumer, passwordSecret: bigpanda-prod-scram-key }
ckms: { url: "https://127.0.0.1:2", keyGroup: bigpanda.keys.sre }
history: { directory: ${directory}/history, requireMount: false }
athenz: { certificate: ${directory}/cert.pem, key: ${directory}/key.pem, ca: ${directory}/ca.pem }
log: { directory: ${directory}/logs }
rules: []
${more}`;

/** Returns a YAML bomb on one line, in which each list holds the one before it nine times. */
function bomb(): string {
  const lists = "abcdefghi".split("").map((name, index, names) => {
    const inner = index === 0 ? "x" : `*${names[index - 1] ?? ""}`;
    return `&${name} [${Array.from({ length: 9 }, () => inner).join(", ")}]`;
  });
  return `[${lists.join(", ")}]`;
}

/** The lines of the log in the directory, of which none holds a key twice. */
async function linesOf(logs: string): Promise<unknown[]> {
  const lines = (await readFile(join(logs, "kafka_consumer.log"), "utf8")).trimEnd().split("\n");
  expect(lines.flatMap(repeatedKeys)).toEqual([]);
  return lines.map((line): unknown => JSON.parse(line));
}

/** Starts the consumer through the launcher, as app_start does. */
async function launched(name: string) {
  const prefix = join(directory, name);
  const logs = join(prefix, "logs");
  await mkdir(join(prefix, "bin"), { recursive: true });
  await mkdir(join(prefix, "lib"));
  await copyFile(LAUNCHER, join(prefix, "bin/kafka_consumer"));
  await symlink(REPOSITORY, join(prefix, "lib/kafka_consumer"));
  await writeFile(join(prefix, "config.yaml"), config());
  const child = spawn(
    join(prefix, "bin/kafka_consumer"),
    ["--config", join(prefix, "config.yaml")],
    {
      env: {
        PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
        HEALTH_PORT: "0",
        LOG_DIR: logs,
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const exited = once(child, "exit");
  const logged = (event: string, times = 1) =>
    vi.waitFor(async () => {
      const lines = await linesOf(logs);
      const found = lines.filter((line) => Reflect.get(Object(line), "event") === event);
      if (found.length < times) throw new Error(`${String(found.length)} ${event}: ${errors}`);
      return found;
    }, 15_000);
  await logged("health.listening");
  return {
    child,
    logged,
    exited,
    errors: () => errors,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

describe("the process", () => {
  test.each([
    [2, "usage", "--config is required", []],
    [78, "bad-configuration", "/nowhere cannot be read: ENOENT", ["--config", "/nowhere"]],
    [78, "bad-configuration", 'got "loud"', ["--config", "FILE", "--log-level", "loud"]],
    [75, "identity-unusable", "cert.pem cannot be read: ENOENT", ["--config", "FILE"]],
  ] as const)("leaves the reason of exit %i in LOG_DIR as one JSON line", async (...row) => {
    const [exitCode, type, message, parameters] = row;
    const file = join(directory, "refused.yaml");
    const logs = join(directory, `logs-${type}-${String(parameters.length)}`);
    await writeFile(file, config("dependencies: { budgetMs: 100 }"));
    const argv = parameters.map((parameter) => (parameter === "FILE" ? file : parameter));
    const environment = { LOG_DIR: logs, POD_NAME: "kafka-consumer-0" };
    for (const restarts of [1, 2]) {
      const { code, errors, output } = await run(argv, environment);
      expect(code).toBe(exitCode);
      expect(errors + output).toContain(message.replaceAll('"', output === "" ? '"' : '\\"'));
      const failed = (await linesOf(logs)).filter((line) => Reflect.has(Object(line), "error"));
      expect(failed).toHaveLength(restarts);
      expect(failed.at(-1)).toMatchObject({
        level: "error",
        time: expect.stringMatching(/^\d{4}-/),
        pod: "kafka-consumer-0",
        event: expect.stringMatching(/^process\.(refused|failed)$/),
        exitCode,
        error: { code: type, message: expect.stringContaining(message) },
      });
    }
  });

  test("leaves what nobody caught in LOG_DIR, before and after it has a configuration", async () => {
    const file = join(directory, "uncaught.yaml");
    await writeFile(file, config());
    const planted = 'throw new Error("planted")';
    const early = `process.on("newListener", (name) => {
      if (name === "SIGTERM") queueMicrotask(() => { ${planted} });
    });`;
    const late = `import { existsSync } from "node:fs";
    setInterval(() => { if (existsSync(process.env.LOG_DIR)) ${planted} }, 1);`;
    for (const [index, script] of [early, late].entries()) {
      const logs = join(directory, `logs-uncaught-${String(index)}`);
      const options = ["--import", `data:text/javascript,${encodeURIComponent(script)}`];
      const { code } = await run(["--config", file], { LOG_DIR: logs }, options);
      expect(code).toBe(70);
      const failed = (await linesOf(logs)).filter((line) => Reflect.has(Object(line), "error"));
      expect(failed).toMatchObject([{ exitCode: 70, error: { message: "planted" } }]);
    }
  });

  test("refuses with the same code, and says so, when LOG_DIR cannot be written", async () => {
    const logs = join(directory, "no-directory");
    await writeFile(logs, "");
    const { code, errors } = await run([], { LOG_DIR: logs });
    expect(code).toBe(2);
    expect(errors).toContain("--config is required");
    expect(errors).toContain(`the log in ${logs} cannot be written: ENOTDIR`);
  });

  test.each([
    [[], "--config is required"],
    [["--config", "x", "--colour"], "--colour"],
    [["--config", "x", "more"], "more"],
  ])("refuses the arguments %j with exit 2 and the usage", async (parameters, message) => {
    const { code, errors } = await run(parameters);
    expect(code).toBe(2);
    expect(errors).toContain(message);
    expect(errors).toContain("usage: kafka_consumer --config FILE");
  });

  test("ends, though by a signal, when the history volume hangs", async () => {
    const volume = join(directory, "hanging");
    await mkdir(volume);
    // Opening a pipe that nobody writes to hangs in the kernel, as a file of an unreachable server does.
    const mounts = join(directory, "mountinfo");
    await promisify(execFile)("mkfifo", [mounts]);
    const file = join(directory, "hanging.yaml");
    await writeFile(file, config().replace("requireMount: false", "requireMount: true"));
    const environment = {
      HISTORY_DIR: volume,
      MOUNTINFO_FILE: mounts,
      STOP_AT: "health.listening",
    };
    const { errors, signal } = await run(["--config", file], environment);
    expect(signal).toBe("SIGKILL");
    expect(errors).toContain("file operations hang");
  });

  test.each(["stdout", "stderr"] as const)(
    "works and stops though nobody reads its full %s",
    async (stream) => {
      const file = join(directory, "unread.yaml");
      const logs = join(directory, `logs-unread-${stream}`);
      const pipe = join(directory, `unread-${stream}`);
      await writeFile(file, config());
      await promisify(execFile)("mkfifo", [pipe]);
      await using unread = await openFile(pipe, constants.O_RDWR);
      await using full = await openFile(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
      await expect(
        (async () => {
          for (;;) await full.write("x".repeat(4096));
        })(),
      ).rejects.toThrow("EAGAIN");
      await using given = await openFile(pipe, constants.O_WRONLY);
      const child = spawn(process.execPath, [MAIN, "--config", file], {
        env: { PATH: process.env.PATH, HEALTH_PORT: "0", LOG_DIR: logs },
        stdio: [
          "ignore",
          stream === "stdout" ? given.fd : "ignore",
          stream === "stderr" ? given.fd : "ignore",
        ],
      });
      const exited = once(child, "exit");
      try {
        const line = await vi.waitFor(async () => {
          const found = (await linesOf(logs)).find(
            (one) => Reflect.get(Object(one), "event") === "health.listening",
          );
          return found ?? Promise.reject(new Error("not listening"));
        }, 10_000);
        const port = String(Reflect.get(Object(line), "port"));
        const signal = AbortSignal.timeout(5000);
        expect((await fetch(`http://127.0.0.1:${port}/livez`, { signal })).status).toBe(200);
        child.kill("SIGTERM");
        expect(await exited).toEqual([0, null]);
      } finally {
        child.kill("SIGKILL");
        await exited;
      }
      expect(unread.fd).toBeGreaterThan(0);
    },
  );

  test.each([
    ["NODE_TLS_REJECT_UNAUTHORIZED", "0", "certificates of servers would not be verified"],
    ["NODE_DEBUG", "http,tls", "it prints headers"],
    ["NODE_DEBUG_NATIVE", "TLS", "it prints headers"],
    ["NODE_OPTIONS", "--tls-keylog=FILE", "--tls-keylog"],
    ["NODE_OPTIONS", "--max-old-space-size=512 --tls-min-v1.0", "--tls-min-v1.0"],
    ["NODE_OPTIONS", '"--insecure-http-parser"', "--insecure-http-parser"],
    ["NODE_OPTIONS", "--inspect=127.0.0.1:0", "--inspect"],
    ["NODE_OPTIONS", "--report-on-signal", "--report-on-signal"],
  ])("refuses to start with %s=%s, by its name", async (name, value, reason) => {
    const file = join(directory, "environment.yaml");
    await writeFile(file, config());
    const given = value.replace("FILE", join(directory, "keylog"));
    for (const parameters of [
      ["--config", file],
      ["history", "stats", "--directory", directory],
    ]) {
      const { code, errors } = await run(parameters, { [name]: given });
      expect(code).toBe(78);
      expect(errors).toContain(`variable ${name}`);
      expect(errors).toContain(reason);
    }
  });

  test("opens no inspector on SIGUSR1, and goes on after signals that mean nothing to it", async () => {
    await using consumer = await launched("ignores");
    for (const times of [1, 2]) {
      for (const signal of ["SIGUSR1", "SIGPIPE", "SIGUSR2"] as const) consumer.child.kill(signal);
      await consumer.logged("signal.ignored", times);
    }
    expect(consumer.errors()).not.toContain("Debugger");
    consumer.child.kill("SIGTERM");
    consumer.child.kill("SIGTERM");
    expect(await consumer.exited).toEqual([0, null]);
  });

  test.each(["SIGHUP", "SIGQUIT", "SIGINT"] as const)(
    "stops on %s as on SIGTERM",
    async (signal) => {
      await using consumer = await launched(`stops-${signal}`);
      consumer.child.kill(signal);
      expect(await consumer.exited).toEqual([0, null]);
      const entered = await consumer.logged("lifecycle.entered");
      expect(entered).toMatchObject([{ state: "draining" }, { state: "stopped" }]);
    },
  );

  test("runs the commands for people instead, with the exit codes of the consumer", async () => {
    const volume = join(directory, "volume");
    for (const name of ["claims", "journal", "snapshot", "temporary"]) {
      await mkdir(join(volume, name), { recursive: true });
    }
    const stats = await run(["history", "stats", "--json"], { HISTORY_DIR: volume });
    expect(stats).toMatchObject({ code: 0, errors: "" });
    expect(JSON.parse(stats.output)).toMatchObject({ keys: 0 });
    const absent = await run(["history", "verify", "--directory", join(directory, "absent")]);
    expect(absent).toMatchObject({ code: 75, output: "" });
    expect(absent.errors).toContain("absent");
    for (const [parameters, message] of [
      [["history", "lst"], 'no command "history lst"'],
      [["history", "list", "--as", "done"], "history list has no option --as"],
      [["history", "show"], "takes one KEY"],
      [["history", "list", "--max", "0", "--directory", volume], "--max must be a number from 1"],
      [["history", "resolve", "ab", "--as", "done"], "--by is required"],
      [["dead-letter", "redrive", "--by", "eve"], "--config is required"],
      [["skip", "--topic", "t", "--partition", "0"], "--offset is required"],
      [["skip", "--topic", "t", "--partition", "-1"], "argument"],
      [["skip", "--key", "ab"], "skip has no option --key"],
      [
        [
          "skip",
          "--topic",
          "t",
          "--partition",
          "0",
          "--offset",
          "7",
          "--by",
          "eve",
          "--reason",
          "x",
          "--directory",
          volume,
        ],
        "t/0 at offset 7 does not stand still",
      ],
    ] as const) {
      const { code, errors } = await run(parameters);
      expect(errors).toContain(message);
      expect(code).toBe(2);
    }
  });

  test("refuses a bad configuration with exit 78, naming every fault", async () => {
    const file = join(directory, "bad.yaml");
    await writeFile(file, config("health: { port: 70000, hots: x }"));
    const { code, errors } = await run(["--config", file], { LOG_LEVEL: "loud", HEALTH_PORT: "" });
    expect(code).toBe(78);
    expect(errors).toContain("health.port (line 13)");
    expect(errors).toContain('unknown key "hots" (did you mean "host"?)');
    expect(errors).toContain("log.level (variable LOG_LEVEL)");
  });

  test.each([
    ["an unknown alias", "*nope", "line 13: unknown alias *nope"],
    ["an alias of itself", "&x [*x]", "line 13: the alias *x stands within its own anchor"],
    ["an alias bomb", bomb(), "line 13: the alias *e makes the document larger"],
  ])("refuses %s with exit 78, file, line and name", async (_what, value, fault) => {
    const file = join(directory, "alias.yaml");
    await writeFile(file, config(`health: ${value}`));
    const { code, errors } = await run(["--config", file]);
    expect(code).toBe(78);
    expect(errors).toContain(`${file} has one fault:\n  - ${fault}`);
  });

  test("refuses a client id per pod where the name of the pod is not known", async () => {
    const file = join(directory, "client-id.yaml");
    await writeFile(file, config().replace("  groupId:", "  clientIdPerPod: true\n  groupId:"));
    const errors = expect.stringContaining("kafka.clientIdPerPod: needs the name of the pod");
    expect(await run(["--config", file])).toMatchObject({ code: 78, errors });
  });

  test("stops at once and cleanly on SIGTERM while it waits for its identity", async () => {
    const file = join(directory, "config.yaml");
    await writeFile(file, config());
    const { code, output, errors } = await run(["--config", file, "--log-level", "debug"], {
      STOP_AT: "health.listening",
      POD_NAME: "kafka-consumer-0",
    });
    expect(errors).toBe("");
    expect(code).toBe(0);
    const lines = output.trimEnd().split("\n");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ pod: "kafka-consumer-0" });
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ event: "process.ended", exitCode: 0 });
  });

  test("ends with 75 when its identity stays away past the budget", async () => {
    const file = join(directory, "config.yaml");
    await writeFile(file, config("dependencies: { budgetMs: 200 }"));
    const { code, output } = await run(["--config", file]);
    expect(code).toBe(75);
    expect(output).toContain("cert.pem cannot be read: ENOENT");
  });

  test("keeps its exit code when it is told to stop while it ends", async () => {
    const file = join(directory, "config.yaml");
    await writeFile(file, config("dependencies: { budgetMs: 200 }"));
    const { code, signal } = await run(["--config", file], { STOP_FROM: "process.ended" });
    expect({ code, signal }).toEqual({ code: 75, signal: null });
  });
});
