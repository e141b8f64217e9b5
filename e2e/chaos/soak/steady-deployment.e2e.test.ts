import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commonArguments } from "#e2e/cli/common-arguments.ts";
import { APP } from "#e2e/targets/pods.ts";
import { until } from "#e2e/base/waiting.ts";
import { openChaosSession } from "#e2e/chaos/engine/chaos-session.ts";
import type { ScheduleProgress } from "#e2e/chaos/engine/schedule-scenario.ts";
import { besideSteadyDeployment } from "./steady-deployment.ts";

const WAIT = { deadlineMs: 40_000 };

test(
  "a steady deployment works as long as what is done beside it, is judged, and ends with it",
  { timeout: 120_000 },
  async () => {
    const artifacts = await mkdtemp(join(tmpdir(), "steady-deployment-"));
    await using _removed = {
      [Symbol.asyncDispose]: async () => await rm(artifacts, { recursive: true }),
    };
    const stopping = new AbortController();
    const { signal } = stopping;
    const place = commonArguments({}, {});
    const seed = 3;
    await using session = await openChaosSession({
      run: { ...place, seed, keep: "never", scenarios: [], realTime: false, compare: null },
      artifacts: join(artifacts, "run"),
      jobs: 1,
      signal,
      line: () => {},
      keepAtEnd: () => false,
    });
    let last: ScheduleProgress | null = null;
    const nodeOptions = new Set<string | undefined>();
    const { done, steady } = await besideSteadyDeployment(
      {
        session,
        seed,
        replicas: 1,
        partitions: 2,
        workMsMax: 60_000,
        signal,
        onProgress: (progress) => {
          last = progress;
        },
      },
      async () => {
        await until("records are published", () => last !== null && last.published >= 6, WAIT);
        for (const { spec } of (await last?.deployment?.target.pods()) ?? []) {
          const app = spec?.containers.find(({ name }) => name === APP);
          nodeOptions.add(app?.env?.find(({ name }) => name === "NODE_OPTIONS")?.value);
        }
        return true;
      },
    );
    expect(done).toBe(true);
    // The changes of V8's young generation in the course of an hour would look like a leak.
    expect([...nodeOptions]).toEqual(["--max-semi-space-size=16"]);
    expect(steady.scenario.failure).toBeUndefined();
    expect(steady.scenario.status).toBe("passed");
    expect(steady.published).toBeGreaterThanOrEqual(6);
    const statuses = new Set(steady.verdict?.verdicts.map(({ status }) => status));
    statuses.delete("not-judged");
    expect([...statuses]).toEqual(["holds"]);
    await expect(
      besideSteadyDeployment(
        {
          session,
          seed: 4,
          replicas: 1,
          partitions: 2,
          workMsMax: 60_000,
          signal,
          onProgress: () => {},
        },
        async () => await Promise.reject(new Error("the work failed")),
      ),
    ).rejects.toThrow("the work failed");
  },
);
