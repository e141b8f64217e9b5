import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const REPOSITORY = join(import.meta.dirname, "../..");
const CLI = join(import.meta.dirname, "cli.ts");

/** Runs the command line in a temporary directory of its own, so that all leftovers can be seen. */
const start = (...argv: string[]) => startProcess(process.execPath, [CLI, ...argv]);

async function startProcess(command: string, argv: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-cli-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const temporary = join(directory, "tmp");
  const artifacts = join(directory, "artifacts");
  await mkdir(temporary);
  const child = spawn(command, argv, {
    cwd: REPOSITORY,
    env: { ...process.env, TMPDIR: temporary, SD_ARTIFACTS_DIR: artifacts },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const growth = new EventTarget();
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
    growth.dispatchEvent(new Event("more"));
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  return {
    child,
    temporary,
    artifacts,
    output: () => output,
    shows: async (text: string) => {
      while (!output.includes(text)) await once(growth, "more");
    },
    ended: once(child, "close").then(([code]) => Number(code)),
  };
}

/** Lists the processes of this host that were started with that temporary directory (Linux only). */
async function processesOf(temporary: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (environment.includes(temporary)) found.push(`${pid} ${command.replaceAll("\0", " ")}`);
  }
  return found;
}

test("a scenario passes and leaves only its artifacts, and the counts are the last line", async () => {
  const run = await start("--scenario", "18", "--seed", "5");
  expect(await run.ended).toBe(0);
  expect(run.output().trimEnd().split("\n").slice(-3)).toEqual([
    "seed 5",
    "again: npm run e2e -- --seed 5 --scenario 18",
    "1 passed, 0 failed",
  ]);
  const [id = ""] = await readdir(run.artifacts);
  expect(await readdir(join(run.artifacts, id))).toEqual(
    expect.arrayContaining([
      "events.ndjson",
      "junit.xml",
      "timeline.html",
      "18-deleted-while-waiting",
    ]),
  );
  expect(await readdir(run.temporary)).toEqual([]);
  expect(await processesOf(run.temporary)).toEqual([]);
});

test("a configuration of the user is played alone, with exactly the predicted actions", async () => {
  const rule = ["--config", "examples/rule/config.yaml"];
  const run = await start(...rule, "--incidents", "examples/rule/incident.json", "--seed", "5");
  expect(await run.ended).toBe(0);
  expect(run.output()).toContain("as predicted: 1 action (1 to https://tickets.example.com)");
  expect(run.output().trimEnd().split("\n").slice(-2)).toEqual([
    "again: npm run e2e -- --seed 5 --config examples/rule/config.yaml " +
      "--incidents examples/rule/incident.json --job component",
    "1 passed, 0 failed",
  ]);
  expect(await readdir(run.temporary)).toEqual([]);
  expect(await processesOf(run.temporary)).toEqual([]);
});

test("a configuration that the loader refuses ends with exit code 2 before anything runs", async () => {
  const run = await start("--config", "config/development-expectations.yaml");
  expect(await run.ended).toBe(2);
  expect(run.output()).toContain("config/development-expectations.yaml has ");
  expect(run.output()).toContain("- kafka (line 1): is required");
  expect(await readdir(run.temporary)).toEqual([]);
});

test("a run in which every scenario was skipped ends with exit code 4", async () => {
  const run = await start("--scenario", "31", "--scenario", "34");
  expect(await run.ended).toBe(4);
  expect(run.output()).toContain("nothing was run: every scenario was skipped");
  expect(run.output().trimEnd().endsWith("\n0 passed, 0 failed")).toBe(true);
});

test("a run is equal to itself, and differs from one whose pods lived differently", async () => {
  const run = await start("--scenario", "6", "--scenario", "18");
  expect(await run.ended).toBe(0);
  const [id = ""] = await readdir(run.artifacts);
  const artifacts = join(run.artifacts, id);
  const same = await start("compare", artifacts, artifacts);
  expect(await same.ended).toBe(0);
  expect(same.output()).toBe("traces: 2 of 2 scenarios equal\n");

  const mutated = join(run.temporary, "mutated");
  await cp(artifacts, mutated, { recursive: true });
  const file = join(mutated, "06-deleted-while-idle/lifecycle.json");
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace('"group left",', ""));
  const other = await start("compare", artifacts, mutated);
  expect(await other.ended).toBe(1);
  expect(other.output()).toContain("FAIL trace 06-deleted-while-idle: `group left` only on local");
  expect(other.output().endsWith("traces: 1 of 2 scenarios equal\n")).toBe(true);

  const later = await start("--scenario", "18", "--compare", artifacts);
  expect(await later.ended).toBe(0);
  expect(later.output()).toContain("only in one run, not compared: 06-deleted-while-idle");
});

test("^C in the middle of a run ends with 130 and leaves no process and no directory", async () => {
  const run = await start("--scenario", "3");
  await run.shows("wait until app_start gives up");
  // There are no processes to see before or after on systems without /proc.
  const before = await processesOf(run.temporary);
  expect(before.length > 1 || process.platform !== "linux").toBe(true);
  run.child.kill("SIGINT");
  expect(await run.ended).toBe(130);
  expect(run.output()).toContain("1 not finished: interrupted");
  expect(run.output().trimEnd().endsWith("\n0 passed, 0 failed")).toBe(true);
  expect(await readdir(run.temporary)).toEqual([]);
  expect(await processesOf(run.temporary)).toEqual([]);
});

test("a ^C that npm passes on a second time still takes everything down", async () => {
  const run = await start("--scenario", "3");
  await run.shows("wait until app_start gives up");
  run.child.kill("SIGINT");
  await run.shows("interrupted: taking everything down");
  run.child.kill("SIGINT");
  expect(await run.ended).toBe(130);
  expect(run.output()).toContain("1 not finished: interrupted");
  expect(await readdir(run.temporary)).toEqual([]);
});

test("SIGTERM to npm ends the run, and npm with it", async () => {
  const run = await startProcess("npm", ["run", "e2e", "--", "--scenario", "3"]);
  await run.shows("wait until app_start gives up");
  run.child.kill("SIGTERM");
  expect(await run.ended).toBe(130);
  expect(await processesOf(run.temporary)).toEqual([]);
  expect((await readdir(run.temporary)).filter((name) => name.startsWith("kafka-"))).toEqual([]);
});

test("a run whose output is no longer read ends silently, as at ^C", async () => {
  const run = await start("--scenario", "3");
  await run.shows("seed ");
  run.child.stdout.destroy();
  run.child.stderr.destroy();
  expect(await run.ended).toBe(130);
  expect(await readdir(run.temporary)).toEqual([]);
  expect(await processesOf(run.temporary)).toEqual([]);
});

test("doctor checks the tools for clusters, which the local target does not need", async () => {
  const whole = await start("doctor");
  expect(await whole.ended).toBe(0);
  for (const check of ["container engine", "kind", "kubectl"]) {
    expect(whole.output()).toMatch(new RegExp(`^(ok  |--  ) ${check}: `, "m"));
  }
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-cli-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  // The PATH is empty, so only the built-in commands of the shell exist.
  const bare = await startProcess("/usr/bin/env", [
    `PATH=${directory}`,
    process.execPath,
    CLI,
    "doctor",
  ]);
  expect(await bare.ended).toBe(0);
  expect(bare.output()).toContain(
    "--   kind: kind version: there is no kind on the PATH: install it\n     fix: install kind",
  );
});

test("a target without its tools prints one message and no stack", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-cli-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const argv = [`PATH=${directory}`, process.execPath, CLI, "--target", "kind", "--scenario", "1"];
  const run = await startProcess("/usr/bin/env", argv);
  expect(await run.ended).toBe(4);
  expect(run.output()).toContain("no container engine answers:\ndocker info: there is no docker");
  expect(run.output()).not.toContain("\n    at ");
});

test("the list names what a scenario needs of its target and broker", async () => {
  const list = await start("list");
  expect(await list.ended).toBe(0);
  expect(list.output()).toMatch(/^34 {2}node-paused\n.+\n {4}needs cluster-nodes, fault-rules\n/m);
});

test("a list whose reader closes the pipe is not an error", async () => {
  const list = await start("list");
  list.child.stdout.destroy();
  expect(await list.ended).toBe(0);
  expect(list.output()).toBe("");
});

test.runIf(process.platform === "linux")(
  "artifacts that cannot be made are a usage error",
  async () => {
    const run = await start("--scenario", "18", "--artifacts", "/proc/kafka-consumer");
    expect(await run.ended).toBe(2);
    expect(run.output()).toMatch(/--artifacts .*\/proc\/kafka-consumer.*: E[A-Z]+\n/);
    expect(await readdir(run.temporary)).toEqual([]);
  },
);

test.each([
  ["where the package node is installed", true, "Fix: npm run "],
  ["where it is not", false, "Fix: npm rebuild node, then npm run "],
])("an older Node is told the fix at once, %s", async (_where, isInstalled, fix) => {
  const old = 'Object.defineProperty(process, "versions", { value: { node: "20.1.0" } })';
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-cli-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const script = join(directory, "e2e/cli/node-version.mjs");
  await mkdir(join(directory, "e2e"));
  await cp(join(REPOSITORY, "e2e/cli/node-version.mjs"), script);
  if (isInstalled) {
    await mkdir(join(directory, "node_modules/node/bin"), { recursive: true });
    await writeFile(join(directory, "node_modules/node/bin/node"), "");
  }
  const run = await startProcess(process.execPath, [
    `--import=data:text/javascript,${encodeURIComponent(old)}`,
    script,
  ]);
  expect(await run.ended).toBe(4);
  expect(run.output()).toContain("node 20.1.0 at");
  expect(run.output()).toContain(fix);
});

test.each([
  ["with#hash", 4],
  ["with%25", 4],
  ["with?mark", 4],
  ["with space (and [more]) é&'", 0],
])("npm test in a directory named %s ends with %s, and says why", async (name, code) => {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-cli-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const script = join(directory, name, "e2e/cli/test-directory.mjs");
  await mkdir(join(directory, name, "e2e"), { recursive: true });
  await cp(join(REPOSITORY, "e2e/cli/test-directory.mjs"), script);
  const run = await startProcess(process.execPath, [script]);
  expect(await run.ended).toBe(code);
  const wanted = `the tests cannot run in ${join(directory, name)}/: vitest finds nothing below`;
  expect(run.output().includes(wanted)).toBe(code === 4);
});

test("a target without a required option is a usage error", async () => {
  const run = await start("--target", "kubernetes");
  expect(await run.ended).toBe(2);
  expect(run.output()).toContain("--target kubernetes needs --context");
});
