import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { pause } from "#e2e/base/waiting.ts";
import { judgeSoak } from "./judge-soak.ts";
import type { SoakFinding } from "./judge-soak.ts";
import { samplePod } from "./pod-sample.ts";
import type { SoakSample } from "./sample.ts";

const PROCESS = new URL("./testing/leaking-process.ts", import.meta.url).pathname;
const INTERVAL_MS = 50;
const SAMPLES = 60;
const MIB = 2 ** 20;

/**
 * The leaking process takes 12 MiB of the heap, as much beside it, and 50 files per second, and an
 * hour has 3600 of them. The other one takes and frees.
 */
const OPTIONS = {
  warmUpMs: 1000,
  pointsMin: SAMPLES,
  measuredMsMin: 1000,
  growthBounds: [
    { kind: "pod", measure: "heapBytes", perHourMax: 3600 * 4 * MIB },
    { kind: "pod", measure: "externalBytes", perHourMax: 3600 * 4 * MIB },
    { kind: "pod", measure: "openFiles", perHourMax: 3600 * 10 },
  ],
} as const;

/** Returns the samples of a process of its own, from its warm-up on. */
async function samplesOf(pod: string, argument: string): Promise<SoakSample[]> {
  const child = spawn(process.execPath, [PROCESS, argument], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await using _ended = {
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
  const [line] = await once(createInterface(child.stdout), "line");
  const { port } = JSON.parse(String(line));
  const metrics = async () => {
    const answer = await fetch(`http://127.0.0.1:${String(port)}/metrics`);
    return { status: answer.status, body: await answer.text() };
  };
  const samples: SoakSample[] = [];
  const warmMs = Date.now() + OPTIONS.warmUpMs;
  while (samples.filter(({ atMs }) => atMs >= warmMs).length < 1.2 * SAMPLES) {
    expect(child.exitCode, "the process ended").toBeNull();
    const sample = await samplePod({ pod, metrics }, Date.now(), AbortSignal.timeout(10_000));
    if (sample !== null) samples.push(sample);
    await pause(INTERVAL_MS);
  }
  return samples;
}

const found = (samples: readonly SoakSample[]): SoakFinding[] =>
  judgeSoak(samples, OPTIONS).filter(({ kind }) => kind === "pod");

test(
  "a process that leaks memory and files is found, and one that does the same work and leaks " +
    "nothing is not",
  async () => {
    const [leaking, steady] = await Promise.all([
      samplesOf("leaking", "leaks"),
      samplesOf("steady", "keeps-nothing"),
    ]);
    expect(found(steady)).toMatchObject([
      { measure: "heapBytes", status: "holds" },
      { measure: "externalBytes", status: "holds" },
      { measure: "openFiles", status: "holds" },
    ]);
    expect(found([...leaking, ...steady])).toMatchObject([
      { measure: "heapBytes", status: "broken", subjects: 2, judged: 2 },
      { measure: "externalBytes", status: "broken", subjects: 2, judged: 2 },
      { measure: "openFiles", status: "broken", subjects: 2, judged: 2 },
    ]);
    for (const { subject } of found([...leaking, ...steady])) expect(subject).toMatch(/^leaking, /);
  },
);
