import { describe, expect, test } from "vitest";
import type { PlannedLimits } from "#consumer/planning/plan.ts";
import { createLimitsTestBed } from "./testing/limits-test-bed.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function perHost(host: string | null): PlannedLimits {
  return { per: ["tags.host"], values: [host], coolDownMs: HOUR_MS };
}

describe("limits for each combination of values", () => {
  test("count the runs of each combination apart, and those without a value together", async () => {
    const { pod } = await createLimitsTestBed();
    const asking = pod();
    expect(await asking.admit("1", perHost("web-1"))).toEqual({ admitted: true });
    expect(await asking.admit("2", perHost("web-2"))).toEqual({ admitted: true });
    expect(await pod().admit("3", perHost("web-1"))).toMatchObject({ admitted: false });
    expect(await asking.admit("4", perHost(null))).toEqual({ admitted: true });
    expect(await asking.admit("5", perHost(null))).toMatchObject({ admitted: false });
    expect(await asking.admit("6", { coolDownMs: HOUR_MS })).toEqual({ admitted: true });
  });

  test("are decided once for each run, whatever values it comes with later", async () => {
    const { pod } = await createLimitsTestBed();
    const asking = pod();
    const startedOnMs = 1_795_564_800_000;
    await asking.admit("1", perHost("web-1"), startedOnMs);
    expect(await asking.admit("2", perHost("web-1"), startedOnMs)).toMatchObject({
      admitted: false,
    });
    expect(await pod().admit("2", perHost("web-2"), startedOnMs)).toMatchObject({
      admitted: false,
    });
  });

  test("leave nothing on the volume of values that have not come for days, and count anew afterwards", async () => {
    const { volume, pod, clock } = await createLimitsTestBed();
    const asking = pod();
    await asking.admit("1", perHost("gone"));
    await clock.advance(3 * DAY_MS);
    await asking.admit("2", perHost("busy"));
    await pod().forget();
    expect(directoriesOf(volume.paths())).toHaveLength(2);
    await clock.advance(DAY_MS);
    await pod().forget();
    expect(directoriesOf(volume.paths())).toHaveLength(1);
    expect(await asking.admit("3", perHost("gone"))).toEqual({ admitted: true });
    expect(await asking.admit("4", perHost("gone"))).toMatchObject({ admitted: false });
  });

  test("are shortened like those of a whole rule while they are in use", async () => {
    const { volume, pod, clock } = await createLimitsTestBed();
    const often: PlannedLimits = { per: ["tags.host"], values: [null], runsPerHourMax: 100 };
    const asking = pod();
    for (let run = 0; run < 20; run += 1) await asking.admit(`old ${run}`, often);
    await clock.advance(10 * DAY_MS);
    await asking.admit("new", often);
    await pod().forget();
    const left = volume.paths().filter((path) => /^limits\/per-.*\.run$/.test(path));
    expect(left.map((path) => path.split("/").at(-1))).toEqual(["21.run"]);
  });

  test("are kept while another pod adds a run to them", async () => {
    const { volume, pod, clock } = await createLimitsTestBed();
    await pod().admit("1", perHost("web-1"));
    await clock.advance(5 * DAY_MS);
    const other = pod();
    let added = false;
    const sweeping = pod(async ({ operation, path, phase }) => {
      if (added || operation !== "removeDirectory" || phase !== "before") return;
      added = true;
      expect(path).toMatch(/^limits\/per-/);
      await other.admit("2", perHost("web-1"));
    });
    await sweeping.forget();
    expect(added).toBe(true);
    expect(directoriesOf(volume.paths())).toHaveLength(1);
    expect(await pod().admit("3", perHost("web-1"))).toMatchObject({ admitted: false });
  });
});

/** The directories of combinations of values that hold a file. */
function directoriesOf(paths: readonly string[]): string[] {
  const directories = paths.map((path) => /^limits\/per-[^/]+/.exec(path)?.[0]);
  return [...new Set(directories)].filter((directory) => directory !== undefined);
}
