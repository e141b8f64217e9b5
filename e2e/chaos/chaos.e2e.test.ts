import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Verdict } from "#e2e/checkers/checker.ts";
import type { PlayedStep } from "./engine/played-step.ts";

const REPOSITORY = join(import.meta.dirname, "../..");

/**
 * Runs the command line as a process with a temporary directory of its own, so that everything it
 * leaves can be seen.
 */
async function start(directory: string, argv: readonly string[]) {
  const temporary = join(directory, "tmp");
  const artifacts = join(directory, "artifacts");
  await mkdir(temporary);
  const child = spawn(process.execPath, ["e2e/main.mjs", ...argv, "--artifacts", artifacts], {
    cwd: REPOSITORY,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const growth = new EventTarget();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      growth.dispatchEvent(new Event("more"));
    });
  }
  onTestFinished(() => void child.kill("SIGTERM"));
  return {
    child,
    temporary,
    artifacts,
    output: () => output,
    shows: async (pattern: RegExp) => {
      while (!pattern.test(output)) await once(growth, "more");
    },
    ended: once(child, "close").then(([code]) => Number(code)),
  };
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "chaos-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/**
 * Returns the processes of this host that were started with that temporary directory (on Linux).
 */
async function processesOf(temporary: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.includes(temporary)) found.push(pid);
  }
  return found;
}

/** Returns the verdicts and moments that each schedule left in the artifacts of the only run. */
async function schedulesBelow(artifacts: string) {
  const [run = ""] = await readdir(artifacts);
  const entries = await readdir(join(artifacts, run), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return await Promise.all(
    names.toSorted().map(async (name) => {
      const read = async (file: string) => await readFile(join(artifacts, run, name, file), "utf8");
      const verdict: Verdict = JSON.parse(await read("verdict.json"));
      const steps: PlayedStep[] = JSON.parse(await read("steps.json"));
      return { verdict, steps };
    }),
  );
}

const statuses = ({ verdicts }: Verdict) => new Set(verdicts.map(({ status }) => status));

test("^C of chaos judges what was done so far, and leaves no process and no directory", async () => {
  const run = await start(await temporaryDirectory(), ["chaos", "--seed", "5"]);
  await run.shows(/^ .*step \d+\/20: /m);
  // On systems without /proc this finds none before and none after.
  const before = await processesOf(run.temporary);
  expect(before.length > 1 || process.platform !== "linux").toBe(true);
  const interruptedMs = performance.now();
  run.child.kill("SIGINT");
  expect(await run.ended).toBe(130);
  // It takes two seconds on an idle machine.
  expect(performance.now() - interruptedMs).toBeLessThan(15_000);
  const [schedule] = await schedulesBelow(run.artifacts);
  expect(schedule!.steps.map(({ outcome }) => outcome)).toContain("open");
  expect(statuses(schedule!.verdict)).toContain("holds");
  expect(statuses(schedule!.verdict)).not.toContain("broken");
  expect(run.output()).not.toContain("FAIL");
  expect(await readdir(run.temporary)).toEqual([]);
  expect(await processesOf(run.temporary)).toEqual([]);
});

/** A schedule of the first moments that every load reaches, with a load that ends soon. */
const SCHEDULE = {
  version: 1,
  seed: 42,
  replicas: 2,
  partitions: 2,
  // There is one kind of action, so that both runs hold the same one.
  load: { incidentsPerSecond: 20, recordsMax: 200, poisonShare: 0, idempotentShare: 0 },
  steps: [
    {
      when: { trigger: "endpoint.effect-held", budgetMs: 30_000 },
      do: { fault: "pod.kill", pod: "held", process: "container" },
    },
    {
      when: { trigger: "broker.offset-commit-request", budgetMs: 30_000 },
      do: { fault: "broker.rebalance" },
    },
  ],
};

// Each run may take half a minute on a busy machine.
const REPLAY_MS_MAX = 180_000;

test(
  "a short schedule is replayed, fires every time, and every invariant holds",
  { timeout: REPLAY_MS_MAX },
  async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "schedule.json");
    await writeFile(file, JSON.stringify(SCHEDULE));
    const run = await start(directory, ["replay", file, "--times", "2"]);
    expect([await run.ended, run.output()]).toEqual([
      0,
      expect.stringMatching(/^[1-9]\d* passed, 0 failed$/m),
    ]);
    expect(run.output()).toContain("time 2 fired at the same moments as the first one");
    const schedules = await schedulesBelow(run.artifacts);
    expect(schedules).toHaveLength(2);
    for (const { steps, verdict } of schedules) {
      expect(steps.map(({ outcome }) => outcome)).toEqual(["fired", "fired"]);
      expect(statuses(verdict)).toEqual(new Set(["holds"]));
    }
    expect(await readdir(run.temporary)).toEqual([]);
    expect(await processesOf(run.temporary)).toEqual([]);
  },
);
