import { expect, test } from "vitest";
import { CRASH_POINTS } from "./crash-points.ts";
import { runWithCrash } from "#simulator/model/testing/crash-run.ts";

test(
  "wherever a process dies in the life of its actions, others complete them exactly once",
  { timeout: 180_000 },
  async () => {
    const whole = await runWithCrash({ at: -1, phase: "before", powerLoss: false });
    expect(whole.violations).toEqual([]);
    const hit = new Set<string>();
    const failures: object[] = [];
    let crashes = 0;
    for (const crash of whole.cases) {
      const { crashed, points, violations } = await runWithCrash(crash);
      if (crashed) crashes += 1;
      for (const point of points) hit.add(point);
      if (violations.length > 0) failures.push({ ...crash, points, violations });
    }
    process.stdout.write(`crash points: ${crashes} crashes at ${whole.length} steps\n`);
    expect(failures).toEqual([]);
    expect(crashes).toBe(whole.cases.length);
    expect(CRASH_POINTS.filter((point) => !hit.has(point))).toEqual([]);
  },
);
