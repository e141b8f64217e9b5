import { expect, test } from "vitest";
import { durationsOf } from "../../durations.ts";
import { testSchedule } from "../schedules/test-kinds.ts";
import { scheduleScenario } from "./schedule-scenario.ts";

test("the longest schedule that can be written has a time limit that a timer can count", () => {
  const step = {
    when: { trigger: "volume.claim-linked", budgetMs: 3_600_000 },
    do: { fault: "broker.outage" },
    until: { elapsedMs: 3_600_000 },
  };
  const { timeoutMs } = scheduleScenario({
    schedule: testSchedule({ steps: Array.from({ length: 1000 }, () => step) }),
    number: 1,
    triggers: new Map(),
    faults: new Map(),
    abilities: new Set(),
    tell: () => {},
    onProgress: () => {},
  });
  const limitMs = timeoutMs?.(durationsOf(false, "local"));
  expect(limitMs).toBe(2 ** 31 - 1);
});
