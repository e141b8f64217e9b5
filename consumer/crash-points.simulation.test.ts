import { expect, test } from "vitest";
import { CRASH_POINTS } from "#fixtures/model/crash-points.ts";
import { type CrashPhase, runWithCrash } from "#fixtures/model/crash-run.ts";

/** How a process dies at a step, and whether power is lost with it. */
const CASES: readonly (readonly [CrashPhase, boolean])[] = [
  ["before", false],
  ["inside", false],
  ["inside", true],
  ["after", false],
  ["after", true],
];

test(
  "wherever a process dies in the life of its actions, others bring them to their end, once",
  { timeout: 180_000 },
  async () => {
    const { length, violations } = await runWithCrash(-1, "before", false);
    expect(violations).toEqual([]);
    const hit = new Map<string, number>();
    const failures: object[] = [];
    let cases = 0;
    for (let at = 0; at < length; at += 1) {
      for (const [phase, powerLoss] of CASES) {
        const run = await runWithCrash(at, phase, powerLoss);
        if (!run.crashed) continue;
        cases += 1;
        for (const point of run.points) hit.set(point, (hit.get(point) ?? 0) + 1);
        if (run.violations.length > 0) {
          failures.push({ at, phase, powerLoss, points: run.points, violations: run.violations });
        }
      }
    }
    process.stdout.write(`crash points: ${cases} crashes at ${length} steps\n`);
    expect(failures).toEqual([]);
    expect(CRASH_POINTS.filter((point) => !hit.has(point))).toEqual([]);
  },
);
