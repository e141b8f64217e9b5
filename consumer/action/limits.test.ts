import { describe, expect, test } from "vitest";
import { failing } from "#fixtures/ports/failing-calls.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import { headPath } from "./limit-files.ts";
import type { Clock } from "#consumer/ports.ts";
import { createLimitsTestBed, DIRECTORY } from "./testing/limits-test-bed.ts";
import type { RunLimits } from "#consumer/planning/rules.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ONCE: RunLimits = { runsPerHourMax: 1 };

describe("what an admission costs", () => {
  test.each([
    ["of a process that has asked before", true],
    ["the first of a process, where another has swept", false],
  ])("is the same whatever lies in the directory: %s", async (_what, isWarm) => {
    const costs: number[] = [];
    for (const decisions of [100, 20_000]) {
      const { clock, volume, pod } = await createLimitsTestBed(10 * DAY_MS);
      const other = pod();
      await other.admit("first", { runsPerHourMax: 2 });
      for (let index = 0; index < decisions; index += 1) {
        volume.put(`${DIRECTORY}/20454.${index}.decision`, "{}");
      }
      await other.forget();
      const asking = pod();
      if (isWarm) await asking.admit("second", { runsPerHourMax: 2 });
      await clock.advance(2 * HOUR_MS);
      asking.calls.length = 0;
      expect(await asking.admit("third", { runsPerHourMax: 2 })).toEqual({ admitted: true });
      expect(await asking.admit("fourth", { coolDownMs: HOUR_MS })).toMatchObject({
        admitted: false,
      });
      expect(asking.calls.filter(({ operation }) => operation === "list")).toEqual([]);
      costs.push(asking.calls.length);
    }
    expect(costs[1]).toBe(costs[0]);
    expect(costs[0]).toBeLessThan(40);
  });

  test("does not grow with the runs of the hour, which are read once", async () => {
    const { pod } = await createLimitsTestBed();
    const asking = pod();
    const limits = { runsPerHourMax: 300 };
    for (let index = 0; index < 300; index += 1) await asking.admit(String(index), limits);
    asking.calls.length = 0;
    expect(await asking.admit("more", limits)).toMatchObject({ admitted: false });
    expect(asking.calls.length).toBeLessThan(15);
  });

  test("is no list of names for many that ask at once in a process that is new", async () => {
    const { pod } = await createLimitsTestBed();
    const asking = pod();
    await Promise.all(Array.from({ length: 96 }, (_, index) => asking.admit(`${index}`, ONCE)));
    expect(asking.calls.filter(({ operation }) => operation === "list")).toHaveLength(1);
  });
});

describe("the limits hold", () => {
  test("for a new process that finds no word about the end of the chain", async () => {
    const { volume, pod, clock } = await createLimitsTestBed();
    for (const id of ["1", "2", "3"]) await pod().admit(id, { runsPerHourMax: 3 });
    const files = volume.mount();
    await files.unlink(headPath(DIRECTORY));
    expect(await pod().admit("4", { runsPerHourMax: 3 })).toMatchObject({ admitted: false });
    await clock.advance(HOUR_MS);
    expect(await pod().admit("5", { runsPerHourMax: 3 })).toEqual({ admitted: true });
    expect(volume.paths()).toContain(`${DIRECTORY}/4.run`);
  });

  test.each([
    ["is torn", '{"format":1,"la'],
    ["is empty", ""],
    ["is of the day before", JSON.stringify({ format: 1, last: 1, atMs: Date.UTC(2025, 11, 30) })],
    [
      "names a link that is gone",
      JSON.stringify({ format: 1, last: 9, atMs: Date.UTC(2026, 0, 1) }),
    ],
    ["lags behind", JSON.stringify({ format: 1, last: 1, atMs: Date.UTC(2026, 0, 1) })],
  ])("when the word about the end of the chain %s", async (_what, head) => {
    const { volume, pod } = await createLimitsTestBed();
    for (const id of ["1", "2", "3"]) await pod().admit(id, { runsPerHourMax: 3 });
    volume.put(headPath(DIRECTORY), head);
    expect(await pod().admit("4", { runsPerHourMax: 3 })).toMatchObject({ admitted: false });
    expect(volume.paths()).not.toContain(`${DIRECTORY}/4.run`);
  });

  test("on a volume of an older version, with the beginning of its chain forgotten", async () => {
    const { volume, pod, clock } = await createLimitsTestBed();
    const run = { format: 1, run: "x", atMs: clock.wallMs() - 1000, pod: "old" };
    volume.put(`${DIRECTORY}/7.run`, JSON.stringify(run));
    const decision = { format: 1, admitted: false, detail: "suppressed: by an older version" };
    const day = Math.floor(clock.wallMs() / DAY_MS);
    const asking = pod();
    expect(await asking.admit("1", { coolDownMs: 5000 })).toMatchObject({ admitted: false });
    const path = volume.paths().find((each) => each.includes(`/${day}.`));
    volume.put(path ?? "", JSON.stringify(decision));
    await clock.advance(10_000);
    expect(await pod().admit("1", { coolDownMs: 5000 }, clock.wallMs() - 10_000)).toMatchObject({
      admitted: false,
      detail: decision.detail,
    });
    expect(await asking.admit("2", { coolDownMs: 5000 })).toEqual({ admitted: true });
    expect(volume.paths()).toContain(`${DIRECTORY}/8.run`);
  });

  test("for a process that slept until what it knew was forgotten", async () => {
    const { volume, pod, clock, left } = await createLimitsTestBed();
    const sleeper = pod();
    await sleeper.admit("0", ONCE);
    const other = pod();
    for (let day = 1; day <= 10; day += 1) {
      await clock.advance(DAY_MS);
      await other.admit(String(day), ONCE);
      await other.forget();
    }
    expect(volume.paths()).not.toContain(`${DIRECTORY}/1.run`);
    expect(await sleeper.admit("late", ONCE)).toMatchObject({ admitted: false });
    const numbers = left(".run").map((path) => Number.parseInt(path.split("/").at(-1)!, 10));
    expect(Math.max(...numbers)).toBe(11);
  });

  test("for a process whose clock stood still as well, while it slept", async () => {
    const { volume, pod, clock } = await createLimitsTestBed();
    const stoppedMs = clock.wallMs();
    const sleeper = pod(undefined, { ...clock, wallMs: () => stoppedMs });
    const limits = { runsPerHourMax: 5 };
    await sleeper.admit("0", limits);
    const other = pod();
    for (let day = 1; day <= 10; day += 1) {
      await clock.advance(DAY_MS);
      await other.admit(String(day), limits);
      await other.forget();
    }
    expect(volume.paths()).not.toContain(`${DIRECTORY}/1.run`);
    await sleeper.admit("late", limits);
    expect(volume.paths()).not.toContain(`${DIRECTORY}/2.run`);
  });

  test("for many that ask at once, in several processes", async () => {
    const { pod, left } = await createLimitsTestBed();
    const pods = [pod(), pod(), pod()];
    const admissions = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        pods[index % 3]!.admit(String(index), { runsPerHourMax: 7 }),
      ),
    );
    expect(admissions.filter(({ admitted }) => admitted)).toHaveLength(7);
    expect(left(".run")).toHaveLength(7);
  });

  test("after an operation of the volume failed: the next one looks again", async () => {
    for (const operation of ["read", "link", "syncDirectory", "list", "dataSync"] as const) {
      const { pod, left } = await createLimitsTestBed();
      const fault = failing({ operation, path: /^(limits|temporary)/, phase: "before" }, "EIO");
      const asking = pod(fault.intercept);
      await expect(asking.admit("1", ONCE)).rejects.toMatchObject({ code: "EIO" });
      expect(await asking.admit("1", ONCE)).toEqual({ admitted: true });
      expect(await asking.admit("2", ONCE)).toMatchObject({ admitted: false });
      expect(left(".run")).toHaveLength(1);
    }
  });
});

describe("a file that was damaged stops nobody", () => {
  test("a run counts from when its file was changed last", async () => {
    const { clock, volume, pod } = await createLimitsTestBed();
    for (const id of ["1", "2"]) await pod().admit(id, { runsPerHourMax: 9 });
    volume.put(`${DIRECTORY}/2.run`, "");
    await clock.advance(1000);
    expect(await pod().admit("3", { coolDownMs: 2000 })).toEqual({
      admitted: false,
      detail: "suppressed: the rule ran 1000 ms ago, its cool-down is 2000 ms",
    });
    expect(await pod().admit("4", { runsPerHourMax: 2 })).toMatchObject({ admitted: false });
    expect(await pod().admit("5", { runsPerHourMax: 3 })).toEqual({ admitted: true });
  });

  test("a decision is none to run", async () => {
    const { volume, pod, left } = await createLimitsTestBed();
    const asker = pod();
    await asker.admit("1", ONCE);
    const [decision = ""] = left(".decision");
    volume.put(decision, "{");
    expect(await pod().admit("1", ONCE)).toEqual({
      admitted: false,
      detail: expect.stringMatching(
        /^suppressed: what was decided is damaged: limits\/.*decision: not a file/,
      ),
    });
  });

  test("a run that is old is forgotten", async () => {
    const { clock, volume, pod, left } = await createLimitsTestBed();
    for (const id of ["1", "2", "3"]) await pod().admit(id, { runsPerHourMax: 9 });
    volume.put(`${DIRECTORY}/1.run`, "");
    await clock.advance(5 * DAY_MS);
    await pod().forget();
    expect(left(".run")).toEqual([`${DIRECTORY}/3.run`]);
  });
});

async function createUnequalPods() {
  const { clock, pod } = await createLimitsTestBed();
  const ahead: Clock = { ...clock, wallMs: () => clock.wallMs() + 2500 };
  return { ahead: pod(undefined, ahead), other: pod() };
}

describe("a run of a pod whose clock is ahead", () => {
  test("is no cool-down where none was asked for", async () => {
    const { ahead, other } = await createUnequalPods();
    const limits = { runsPerHourMax: 2 };
    expect(await ahead.admit("1", limits)).toEqual({ admitted: true });
    expect(await other.admit("2", limits)).toEqual({ admitted: true });
    expect(await other.admit("3", limits)).toMatchObject({ admitted: false });
  });

  test("begins the cool-down now", async () => {
    const { ahead, other } = await createUnequalPods();
    const limits = { coolDownMs: 1000 };
    await ahead.admit("1", limits);
    const detail = "suppressed: the rule ran 0 ms ago, its cool-down is 1000 ms";
    expect(await other.admit("2", limits)).toEqual({ admitted: false, detail });
  });
});

describe("a loss of power", () => {
  test("takes no run from the chain that a decision was made by", async () => {
    const { volume, pod, left } = await createLimitsTestBed();
    const atDecision: string[][] = [];
    const asking = pod(({ operation, path, phase }) => {
      if (operation !== "link" || !path.endsWith(".decision") || phase !== "before") return;
      volume.losePower();
      atDecision.push(left(".run"));
      throw failure("EIO", "link", path);
    });
    await expect(asking.admit("1", ONCE)).rejects.toThrow("EIO");
    expect(atDecision).toEqual([[`${DIRECTORY}/1.run`]]);
    expect(await pod().admit("2", ONCE)).toMatchObject({ admitted: false });
  });

  test("takes no run that another process linked and this one decides by", async () => {
    const { volume, pod, clock, left } = await createLimitsTestBed();
    const startedOnMs = clock.wallMs();
    const fault = failing({ operation: "syncDirectory", path: /^limits/, phase: "before" }, "EIO");
    await expect(pod(fault.intercept).admit("1", ONCE, startedOnMs)).rejects.toThrow("EIO");
    const asking = pod(({ operation, path, phase }) => {
      if (operation === "link" && path.endsWith(".decision") && phase === "before") {
        volume.losePower();
      }
    });
    // Its own temporary file went too: it was never admitted, but the decision might have been durable.
    await expect(asking.admit("1", ONCE, startedOnMs)).rejects.toMatchObject({ code: "ENOENT" });
    expect(left(".run")).toHaveLength(1);
  });

  test("takes no decision that was told", async () => {
    const { volume, pod, clock, left } = await createLimitsTestBed();
    const startedOnMs = clock.wallMs();
    await pod().admit("1", ONCE, startedOnMs);
    const told = await pod().admit("2", ONCE, startedOnMs);
    volume.losePower();
    expect(left(".decision")).toHaveLength(2);
    await clock.advance(2 * HOUR_MS);
    expect(await pod().admit("2", ONCE, startedOnMs)).toMatchObject(told);
  });

  test("takes no decision that another process wrote and this one told", async () => {
    const { volume, pod, clock, left } = await createLimitsTestBed();
    const startedOnMs = clock.wallMs();
    const hung = Promise.withResolvers<void>();
    const linked = Promise.withResolvers<void>();
    let isLinked = false;
    const writing = pod(async ({ operation, path, phase }) => {
      if (operation === "link" && path.endsWith(".decision") && phase === "after") isLinked = true;
      if (operation !== "syncDirectory" || !isLinked || phase !== "before") return;
      linked.resolve();
      await hung.promise;
    });
    const written = writing.admit("1", ONCE, startedOnMs);
    await linked.promise;
    expect(await pod().admit("1", ONCE, startedOnMs)).toEqual({ admitted: true });
    volume.losePower();
    expect(left(".decision")).toHaveLength(1);
    hung.resolve();
    await written;
  });
});

describe("forgetting", () => {
  test("removes old runs and decisions, never the newest run, never what is young", async () => {
    const { clock, pod, volume, left } = await createLimitsTestBed();
    const asking = pod();
    for (let day = 1; day <= 12; day += 1) {
      expect(await asking.admit(String(day), ONCE)).toEqual({ admitted: true });
      await asking.forget();
      await clock.advance(DAY_MS);
    }
    expect(left(".run").length).toBeLessThanOrEqual(4);
    expect(left(".decision").length).toBeLessThanOrEqual(5);
    expect(volume.paths()).toContain(`${DIRECTORY}/12.run`);
    expect(volume.paths()).not.toContain(`${DIRECTORY}/1.run`);
    await clock.advance(100 * DAY_MS);
    await asking.forget();
    expect(left(".run")).toEqual([`${DIRECTORY}/12.run`]);
    expect(left(".decision")).toEqual([]);
  });

  test("removes decisions of a rule that hardly ever runs too", async () => {
    const { clock, pod, left } = await createLimitsTestBed();
    const asking = pod();
    const perDay = 20;
    let admitted = 0;
    for (let count = 0; count < 12 * perDay; count += 1) {
      const admission = await asking.admit(String(count), { coolDownMs: 100 * DAY_MS });
      if (admission.admitted) admitted += 1;
      await clock.advance(DAY_MS / perDay);
      await asking.forget();
    }
    expect(admitted).toBe(1);
    expect(left(".decision").length).toBeLessThanOrEqual(4 * perDay);
  });

  test("leaves no gap in a chain when a run cannot be removed", async () => {
    const { clock, pod, volume } = await createLimitsTestBed();
    const path = /\/1\.run$/;
    const fault = failing({ operation: "unlink", path, phase: "before" }, "EIO", "EIO");
    const asking = pod(fault.intercept);
    for (const id of ["1", "2", "3"]) {
      await asking.admit(id, {});
      await clock.advance(1000);
    }
    await clock.advance(10 * DAY_MS);
    await asking.forget();
    expect(fault.fired()).toBe(1);
    expect(volume.paths().filter((each) => each.endsWith(".run"))).toHaveLength(3);
  });

  test("ends when the process stops, and does nothing on a volume without limits", async () => {
    const { pod, clock, left } = await createLimitsTestBed();
    await pod().forget();
    const asking = pod();
    await asking.admit("1", {});
    await clock.advance(10 * DAY_MS);
    await asking.forget(AbortSignal.abort(new Error("stop")));
    expect(left(".decision")).toHaveLength(1);
    await asking.forget();
    expect(left(".decision")).toHaveLength(0);
  });
});
