import type { InvariantVerdict } from "#e2e/checkers/checker.ts";
import { openStep } from "#e2e/chaos/engine/played-step.ts";
import type { PlayedStep } from "#e2e/chaos/engine/played-step.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";

interface TestResultOptions {
  readonly number: number;
  readonly directory: string;
  readonly seed?: number;
  readonly status?: ScheduleResult["scenario"]["status"];
  readonly steps?: readonly PlayedStep[];
  readonly verdicts?: readonly {
    readonly invariant: string;
    readonly status: InvariantVerdict["status"];
  }[];
}

/** Returns the result of a schedule of two steps, one of which fired, for tests. */
export function aResult(options: TestResultOptions): ScheduleResult {
  const { number, directory, seed = 42, status = "passed" } = options;
  const verdicts = options.verdicts ?? [{ invariant: "claims-unchanged", status: "holds" }];
  return {
    number,
    directory,
    schedule: {
      version: 1,
      seed,
      replicas: 2,
      partitions: 4,
      load: DEFAULT_LOAD,
      steps: [1, 2].map(() => ({ when: { trigger: "pod.ready" }, do: { fault: "pod.kill" } })),
    },
    scenario: {
      scenario: { number, name: `chaos-${seed}`, title: "It holds.", run: async () => {} },
      status,
      durationMs: 1234,
    },
    steps: options.steps ?? [
      playedStep(1, { outcome: "fired", fired: "exit code 137" }),
      playedStep(2, { outcome: "missed", reason: "it did not come" }),
    ],
    published: 76,
    verdict: {
      format: 1,
      verdicts: verdicts.map(({ invariant, status: judged }) => ({
        invariant,
        title: "It holds.",
        status: judged,
        findings: judged === "broken" ? [{ message: "it broke", events: [] }] : [],
      })),
    },
  };
}

/** Returns a step that was not played yet, unless `change` says otherwise. */
export function playedStep(number: number, change: Partial<PlayedStep> = {}): PlayedStep {
  const step = { when: { trigger: "pod.ready" }, do: { fault: "pod.kill" } };
  return { ...openStep(number, step), ...change };
}
