import { expect, test } from "vitest";
import type { Ability } from "#e2e/base/abilities.ts";
import { durationsOf } from "#e2e/base/durations.ts";
import { ExpectationError } from "#e2e/errors.ts";
import { seededRandom } from "#e2e/base/random.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";
import { testSchedule } from "#e2e/chaos/schedules/testing/test-kinds.ts";
import { scheduleScenario } from "./schedule-scenario.ts";

const OPTIONS = {
  number: 1,
  triggers: new Map(),
  faults: new Map(),
  abilities: new Set<Ability>(),
  recordEvent: () => {},
  onProgress: () => {},
} as const;

test("pods that do not become ready again after the healing fail the schedule", async () => {
  const marks: string[] = [];
  const deployment = {
    ready: async () => {},
    mark: (what: string) => void marks.push(what),
    target: { pods: async () => [], scale: async () => {} },
    names: {},
    actions: { respond: async () => ({ [Symbol.asyncDispose]: async () => {} }) },
    // The time is over at once.
    until: async (what: string, condition: () => Promise<boolean>) => {
      if (!(await condition())) throw new ExpectationError(`not within 0 ms: ${what}`);
    },
  };
  const load = { ...DEFAULT_LOAD, recordsMax: 0 };
  const { run } = scheduleScenario({ ...OPTIONS, schedule: testSchedule({ steps: [], load }) });
  const played = run({
    signal: new AbortController().signal,
    durations: durationsOf(false, "local"),
    random: seededRandom(1, "test"),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a schedule without steps asks for no more
    deploy: async () => deployment as unknown as TestDeployment,
    step: () => {},
  });
  await expect(played).rejects.toThrow(
    new ExpectationError(
      "not converged after all faults were healed: 0 of 0 pods are ready, 2 are expected",
    ),
  );
  expect(marks).toEqual(["healed", "converged"]);
});

test("the longest schedule that can be written has a time limit that a timer can count", () => {
  const step = {
    when: { trigger: "volume.claim-linked", budgetMs: 3_600_000 },
    do: { fault: "broker.outage" },
    until: { elapsedMs: 3_600_000 },
  };
  const { timeoutMs } = scheduleScenario({
    ...OPTIONS,
    schedule: testSchedule({ steps: Array.from({ length: 1000 }, () => step) }),
  });
  const limitMs = timeoutMs?.(durationsOf(false, "local"));
  expect(limitMs).toBe(2 ** 31 - 1);
});
