import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const SCRIPTS = fileURLToPath(new URL("../../../../deploy_target/omega/scripts/", import.meta.url));

/**
 * Stands in for the consumer: it prints a line for each signal and ends when told to. SIGTERM ends
 * it when the file `release` exists, with the exit code in that file.
 */
const FAKE_CONSUMER = `
import { appendFileSync, existsSync, readFileSync } from "node:fs";
const at = (name) => process.env.CONTAINER_ROOT + "/" + name;
const say = (line) => appendFileSync(at("heard"), line + "\\n");
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => { say(signal); asked = true; });
let asked = false;
setInterval(() => {
  if (!existsSync(at(""))) process.exit(1);
  if (existsSync(at("exit"))) process.exit(Number(readFileSync(at("exit"), "utf8")));
  if (asked && existsSync(at("release"))) process.exit(Number(readFileSync(at("release"), "utf8")));
}, 5);
say("up " + process.pid + " " + process.argv.slice(2).join(" "));
`;

/**
 * Every poll of a script records its process id and its seconds, so that a test can wait for polls
 * instead of for time.
 */
const COUNTING_SLEEP = `#!/bin/sh
echo "$1" >>"$CONTAINER_ROOT/slept"
echo "$$" >>"$CONTAINER_ROOT/polls"
exec /bin/sleep "$@"
`;

/**
 * Makes one directory that serves as the root of a container, with every path of the scripts moved
 * into it.
 */
export async function prepareContainer(): Promise<ScriptContainer> {
  const root = await mkdtemp(join(tmpdir(), "omega-scripts-"));
  await Promise.all(["bin", "run", "athenz", "logs"].map((name) => mkdir(join(root, name))));
  await writeFile(join(root, "consumer.mjs"), FAKE_CONSUMER);
  await writeExecutable(
    join(root, "bin/kafka_consumer"),
    `#!/bin/sh\nexec '${process.execPath}' '${join(root, "consumer.mjs")}' "$@"\n`,
  );
  await writeExecutable(join(root, "bin/sleep"), COUNTING_SLEEP);
  return new ScriptContainer(root);
}

async function writeExecutable(path: string, content: string): Promise<void> {
  await writeFile(path, content);
  await chmod(path, 0o755);
}

export class ScriptContainer implements AsyncDisposable {
  readonly root: string;
  readonly #running = new Set<ScriptProcess>();

  constructor(root: string) {
    this.root = root;
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** The rename is one step: a script that polls for the file never reads half of it. */
  async write(name: string, content: string): Promise<void> {
    await writeFile(this.path("unnamed"), content);
    await rename(this.path("unnamed"), this.path(name));
  }

  /** Returns the file's lines, or none when it does not exist. */
  async lines(name: string): Promise<string[]> {
    const text = await readFile(this.path(name), "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  async certificates(): Promise<void> {
    await this.write("athenz/cert", "certificate");
    await this.write("athenz/key", "key");
  }

  /**
   * Runs a script with `shell` (its words) and with the given variables over those of the
   * container.
   */
  run(
    shell: readonly string[],
    script: string,
    environment: Record<string, string> = {},
  ): ScriptProcess {
    const [command = "sh", ...words] = shell;
    const running = startProcess(command, [...words, join(SCRIPTS, script)], {
      PATH: [this.path("bin"), process.env.PATH].join(delimiter),
      CONTAINER_ROOT: this.root,
      KAFKA_CONSUMER_BIN: this.path("bin/kafka_consumer"),
      CONFIG_FILE: this.path("config.yaml"),
      ATHENZ_CERT: this.path("athenz/cert"),
      ATHENZ_KEY: this.path("athenz/key"),
      PID_FILE: this.path("run/consumer.pid"),
      LOG_DIR: this.path("logs"),
      CERT_WAIT_SECONDS: "30",
      CERT_POLL_SECONDS: "0.05",
      PRESTOP_POLL_SECONDS: "0.02",
      ...environment,
    });
    this.#running.add(running);
    return running;
  }

  /** Waits until the consumer handles signals, and returns its process id. */
  async consumerUp(): Promise<number> {
    const line = await until("the consumer is up", async () => {
      return (await this.lines("heard")).find((heard) => heard.startsWith("up "));
    });
    return Number(line.split(" ")[1]);
  }

  /** Returns what the consumer received after it was up. */
  async heard(): Promise<string[]> {
    return (await this.lines("heard")).filter((line) => !line.startsWith("up "));
  }

  /** Ends processes that a failed test may have left, then removes the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Each script leads a process group, in which its consumer stays even when the script has
    // ended.
    for (const { pid } of this.#running) signalIfThere(-pid, "SIGKILL");
    await Promise.all([...this.#running].map((running) => running.exited));
    await rm(this.root, { recursive: true, force: true });
  }
}

export interface ScriptProcess {
  readonly pid: number;
  /**
   * The exit code, or the name of the signal that ended it. Rejects after 20 s, so that a failing
   * test still cleans up.
   */
  readonly ended: Promise<number | string>;
  /** The same, without a time limit. */
  readonly exited: Promise<number | string>;
  kill(signal: NodeJS.Signals): void;
  stderr(): string;
}

export function startProcess(
  command: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
): ScriptProcess {
  const child = spawn(command, args, { env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  let stderr = "";
  const exited = once(child, "exit").then(([code, signal]): number | string => code ?? signal);
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return {
    pid: child.pid ?? 0,
    exited,
    get ended() {
      return Promise.race([exited, overdue(args)]);
    },
    kill: (signal) => void child.kill(signal),
    stderr: () => stderr,
  };
}

async function overdue(args: readonly string[]): Promise<never> {
  await delay(20_000, undefined, { ref: false });
  throw new Error(`not ended within 20 s: ${args.join(" ")}`);
}

export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has ended.
  }
}

/** Returns false for a process that has ended, even before its parent has noticed. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Polls until `probe` returns a value. Throws after `deadlineMs`. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  deadlineMs = 10_000,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await delay(5);
  }
}
