import { expect, test } from "vitest";
import { Coverage } from "./coverage.ts";
import type { CoveredStep } from "./coverage.ts";
import { DEFAULT_LOAD } from "./load-plan.ts";
import {
  TEST_KINDS,
  TEST_ENVIRONMENT,
  testFault,
  testTrigger,
} from "./schedules/testing/test-kinds.ts";

const KINDS = {
  faults: [
    testFault("pod.kill", { causes: ["starts"] }),
    testFault("node.drain", { needs: ["cluster-nodes"] }),
  ],
  triggers: [
    testTrigger("volume.claim-linked", {}),
    testTrigger("pod.started", { requires: ["starts"], holds: false }),
    testTrigger("pod.stopping", { requires: ["stops"] }),
  ],
};

const step = (
  trigger: string,
  outcome: CoveredStep["outcome"],
  fault = "pod.kill",
): CoveredStep => ({ fault, trigger, outcome });

const coverage = () => new Coverage(KINDS, TEST_ENVIRONMENT, DEFAULT_LOAD);

test("the table shows what fired, what was drawn and not covered and what cannot be", () => {
  const covered = coverage();
  covered.add([
    step("volume.claim-linked", "fired"),
    step("volume.claim-linked", "fired"),
    step("pod.started", "missed"),
  ]);
  covered.add([step("volume.claim-linked", "never-fired"), step("pod.started", "open")]);
  expect(covered.table()).toBe(
    `             a  b  c
pod.kill     2  0  -
node.drain   -  -  -

a number: how often it fired; 0: drawn and not covered; .: not drawn; -: impossible
a  volume.claim-linked
b  pod.started (near it only)
c  pod.stopping
-  1: neither the load nor any of the faults causes stops
-  3: the target local with the broker embedded has no cluster-nodes: several nodes, which can be drained and paused`,
  );
  expect(covered.drawnTable).toBe(
    `           a  b
pod.kill   2  0

a number: how often it fired; 0: drawn and not covered; .: not drawn; -: impossible
a  volume.claim-linked
b  pod.started (near it only)`,
  );
  expect(coverage().drawnTable).toBe("");
  expect(covered.summary).toBe(
    "1 of 1 pairs of fault and held moment covered, 0 of 1 covered near a moment, 4 impossible",
  );
  expect(covered.toJSON().cells.slice(0, 3)).toEqual([
    { fault: "pod.kill", trigger: "volume.claim-linked", holds: true, schedules: 2, fired: 2 },
    { fault: "pod.kill", trigger: "pod.started", holds: false, schedules: 1, fired: 0 },
    {
      fault: "pod.kill",
      trigger: "pod.stopping",
      holds: true,
      schedules: 0,
      fired: 0,
      impossible: "neither the load nor any of the faults causes stops",
    },
  ]);
});

test("a pair is uncovered when ten schedules drew it and none fired", () => {
  const covered = coverage();
  for (let count = 0; count < 9; count += 1) {
    covered.add([step("volume.claim-linked", "missed"), step("volume.claim-linked", "missed")]);
    covered.add([step("pod.started", "missed"), step("volume.claim-linked", "open")]);
  }
  expect(covered.uncovered()).toEqual([
    "no fault and no held moment was in 10 schedules: nothing can be judged",
  ]);
  covered.add([step("volume.claim-linked", "never-fired"), step("pod.started", "missed")]);
  expect(covered.uncovered()).toContain(
    "pod.kill never fired at volume.claim-linked, in 10 schedules",
  );
  covered.add([step("volume.claim-linked", "fired")]);
  expect(covered.uncovered()).toEqual([]);
});

test("a fault that fires at no held moment is uncovered, and so is a held moment at which none fires", () => {
  const kinds = {
    faults: ["a.a", "a.b", "a.c"].map((name) => testFault(name, {})),
    triggers: [
      ...["b.a", "b.b", "b.c"].map((name) => testTrigger(name, {})),
      testTrigger("b.near", { holds: false }),
    ],
  };
  const covered = new Coverage(kinds, TEST_ENVIRONMENT, DEFAULT_LOAD);
  const triggers = ["b.a", "b.b", "b.c"];
  for (let count = 0; count < 9; count += 1) {
    const trigger = triggers[count % 3]!;
    // One fault is drawn at each moment in turn, and another one fires at one of them.
    covered.add([
      step(trigger, "missed", "a.a"),
      step("b.near", "fired", "a.a"),
      step("b.a", "fired", "a.b"),
    ]);
    covered.add([step("b.b", "missed", count % 2 === 0 ? "a.b" : "a.c")]);
  }
  expect(covered.uncovered()).toEqual(["nothing fired at b.b, in 12 schedules"]);
  covered.add([step("b.a", "never-fired", "a.a")]);
  expect(covered.uncovered()).toEqual([
    "a.a never fired, in 10 schedules",
    "nothing fired at b.b, in 12 schedules",
  ]);
  covered.add([step("b.b", "fired", "a.a")]);
  expect(covered.uncovered()).toEqual([]);
});

test("steps of faults that were not asked for are left out", () => {
  const covered = coverage();
  covered.add([step("volume.claim-linked", "fired", "pod.explode")]);
  expect(covered.cells.every(({ fired }) => fired === 0)).toBe(true);
});

test("more moments than letters have two of them", () => {
  const triggers = Array.from({ length: 28 }, (_, index) => testTrigger(`pod.t${index}`, {}));
  const table = new Coverage({ ...TEST_KINDS, triggers }, TEST_ENVIRONMENT, DEFAULT_LOAD).table();
  expect(table).toContain("\nz  pod.t25\naa  pod.t26\nab  pod.t27");
  expect(table.split("\n")[0]).toMatch(/ y {2}z aa ab$/);
});
