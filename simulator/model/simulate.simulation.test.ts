import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { createCounts } from "./counts.ts";
import { simulate, stepsOf } from "./simulate.ts";

const RUNS = 250;
const SEED = 1;

/** Counts that must not stay 0, since a run that never meets a fault proves nothing about it. */
const NEEDED = [
  ["faults", "EIO"],
  ["faults", "ENOSPC"],
  ["faults", "EROFS"],
  ["faults", "ESTALE"],
  ["faults", "torn write"],
  ["faults", "lost reply (EEXIST)"],
  ["faults", "lost reply (ENOENT)"],
  ["faults", "stale negative lookup"],
  ["faults", "late link"],
  ["faults", "late rename"],
  ["checks", "readiness, read of claim"],
  ["checks", "readiness, link of claim"],
  ["checks", "readiness, link of outcome"],
  ["checks", "prefix of a journal"],
  ["checks", "corrupt record"],
  ["events", "power loss"],
  ["events", "pause"],
  ["events", "resume"],
  ["events", "rebalance"],
  ["events", "offset reset"],
  ["events", "republish"],
  ["events", "skew"],
  ["events", "clock beyond the skew"],
  ["events", "all clocks ahead"],
  ["events", "limit raised"],
  ["events", "replay after wrong clocks"],
  ["events", "replay after a raised limit"],
  ["faults", "stale listing"],
  ["events", "order to pause"],
  ["events", "order to resume"],
  ["crashes", "at an order to pause"],
  ["crashes", "at an order to resume"],
  ["checks", "action within the delay of a pause"],
  ["outcomes", "request-changed"],
  ["starts", "the same"],
  ["starts", "moved back"],
] as const;

test(
  "every invariant holds after every step, whatever fails in whatever order",
  { timeout: 180_000 },
  async () => {
    const counts = createCounts();
    const failures: object[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const { seed, violations, counts: added } = await simulate(SEED + run);
      counts.merge(added.table);
      if (violations.length > 0) {
        failures.push({ replay: `npm run simulate -- --seed ${seed} --runs 1`, violations });
      }
    }
    const groups = ["steps", "sends", "crashes", "faults", "events"].map(
      (group) => `${counts.total(group)} ${group}`,
    );
    process.stdout.write(`model: ${RUNS} runs, ${groups.join(", ")}\n`);
    expect(failures).toEqual([]);
    const missed = NEEDED.filter(([group, name]) => counts.get(group, name) === 0);
    expect(missed).toEqual([]);
  },
);

test("the same seed is the same run", async () => {
  const [one, other] = [await simulate(11), await simulate(11)];
  expect(one.trace.length).toBeGreaterThan(100);
  expect(one.trace).toEqual(other.trace);
  expect(await simulate(12)).not.toEqual(one);
});

test("a step that is left out changes no draw of the others", async () => {
  const seed = 11;
  const all = await simulate(seed);
  expect(all.steps).toEqual(Array.from({ length: stepsOf(seed) }, (_, index) => index + 1));
  expect((await simulate(seed, { steps: all.steps })).trace).toEqual(all.trace);

  const whatHappens = all.trace.map((line) => line.replace(/step \d+: /, ""));
  let same = 0;
  for (const number of all.steps.slice(10, 40)) {
    const steps = all.steps.filter((other) => other !== number);
    const { steps: played, trace } = await simulate(seed, { steps });
    expect(played).toEqual(steps);
    expect(trace.some((line) => line.includes(`step ${number}:`))).toBe(false);
    // The process that has waited longest continues instead, which now and then is what the step
    // was about to do.
    const instead = trace.map((line) => line.replace(/step \d+: /, ""));
    if (isDeepStrictEqual(instead, whatHappens)) same += 1;
  }
  expect(same).toBeGreaterThan(0);
});

test("a run without any step publishes nothing and ends", async () => {
  const { steps, trace, violations } = await simulate(11, { steps: [] });
  expect(steps).toEqual([]);
  expect(violations).toEqual([]);
  expect(trace.some((line) => / send /.test(line))).toBe(false);
});
