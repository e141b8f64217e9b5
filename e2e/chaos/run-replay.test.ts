import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { replayArguments } from "#e2e/cli/chaos-arguments.ts";
import type { CommonArguments } from "#e2e/base/run-arguments.ts";
import { UsageError } from "#e2e/errors.ts";
import { runReplay } from "./run-replay.ts";

/**
 * Replays a file. Returns the failure, what was written to the terminal, and what is in the
 * artifacts and the temporary directory.
 */
async function replay(target: CommonArguments["target"], schedule: unknown) {
  const directory = await mkdtemp(join(tmpdir(), "run-replay-"));
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
  });
  const file = join(directory, "schedule.json");
  await writeFile(file, JSON.stringify(schedule));
  vi.stubEnv("TMPDIR", directory);
  const written: string[] = [];
  const cluster = { context: "none", image: "a", "simulators-image": "b" };
  const place = target === "kubernetes" ? { target, ...cluster } : { target };
  const chosen = replayArguments({ ...place, artifacts: join(directory, "artifacts") }, [file], {});
  const failure: unknown = await runReplay({
    arguments: chosen,
    terminal: { isTTY: false, write: (text) => written.push(text) },
    signal: new AbortController().signal,
  }).catch((error: unknown) => error);
  return { failure, written, left: await readdir(directory) };
}

const STEP = { when: { trigger: "endpoint.request-held" }, do: { fault: "pod.kill" } };
const SCHEDULE = { version: 1, seed: 3, replicas: 2, partitions: 4, load: {}, steps: [STEP] };

test.each<[string, CommonArguments["target"], object, RegExp]>([
  [
    "an unknown fault",
    "local",
    { ...SCHEDULE, steps: [{ ...STEP, do: { fault: "pod.explode" } }] },
    /steps\[0\]\.do\.fault is unknown .*, got "pod\.explode"/,
  ],
  [
    "a fault that the target cannot do",
    "kubernetes",
    SCHEDULE,
    /cannot be injected: the target kubernetes with the broker embedded has no container-access/,
  ],
  ["a field that no schedule has", "kind", { ...SCHEDULE, pods: 2 }, /pods/],
])("%s is refused before anything starts", async (_what, target, schedule, message) => {
  const { failure, written, left } = await replay(target, schedule);
  expect(failure).toBeInstanceOf(UsageError);
  expect(String(failure)).toMatch(message);
  expect(written).toEqual([]);
  expect(left).toEqual(["schedule.json"]);
});
