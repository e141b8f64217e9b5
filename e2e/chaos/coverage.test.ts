import { expect, test } from "vitest";
import { Coverage, type CoveredStep } from "./coverage.ts";
import { DEFAULT_LOAD } from "./load-plan.ts";
import { TEST_KINDS, TEST_PLACE, testFault, testTrigger } from "./schedules/testing/test-kinds.ts";

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

const coverage = () => new Coverage(KINDS, TEST_PLACE, DEFAULT_LOAD);

test("the table shows what struck, what was drawn in vain and what cannot be", () => {
  const covered = coverage();
  covered.add([
    step("volume.claim-linked", "struck"),
    step("volume.claim-linked", "struck"),
    step("pod.started", "missed"),
  ]);
  covered.add([step("volume.claim-linked", "never-fired"), step("pod.started", "open")]);
  expect(covered.table()).toBe(
    `             a  b  c
pod.kill     2  0  -
node.drain   -  -  -

a number: how often it struck; 0: drawn in vain; .: not drawn; -: cannot be
a  volume.claim-linked
b  pod.started (near it only)
c  pod.stopping
-  1: neither the load nor any of the faults brings about stops
-  3: the target local with the broker embedded has no cluster-nodes: several nodes, which can be drained and paused`,
  );
  expect(covered.drawnTable).toBe(
    `           a  b
pod.kill   2  0

a number: how often it struck; 0: drawn in vain; .: not drawn; -: cannot be
a  volume.claim-linked
b  pod.started (near it only)`,
  );
  expect(coverage().drawnTable).toBe("");
  expect(covered.summary).toBe(
    "1 of 1 pairs of fault and held moment struck, 0 of 1 struck near a moment, 4 cannot be",
  );
  expect(covered.toJSON().cells.slice(0, 3)).toEqual([
    { fault: "pod.kill", trigger: "volume.claim-linked", holds: true, schedules: 2, struck: 2 },
    { fault: "pod.kill", trigger: "pod.started", holds: false, schedules: 1, struck: 0 },
    {
      fault: "pod.kill",
      trigger: "pod.stopping",
      holds: true,
      schedules: 0,
      struck: 0,
      impossible: "neither the load nor any of the faults brings about stops",
    },
  ]);
});

test("a pair is missed when ten schedules drew it and none struck", () => {
  const covered = coverage();
  for (let count = 0; count < 9; count += 1) {
    covered.add([step("volume.claim-linked", "missed"), step("volume.claim-linked", "missed")]);
    covered.add([step("pod.started", "missed"), step("volume.claim-linked", "open")]);
  }
  expect(covered.missed()).toEqual([
    "no fault and no held moment was in 10 schedules: nothing can be judged",
  ]);
  covered.add([step("volume.claim-linked", "never-fired"), step("pod.started", "missed")]);
  expect(covered.missed()).toContain(
    "pod.kill never struck at volume.claim-linked, in 10 schedules",
  );
  covered.add([step("volume.claim-linked", "struck")]);
  expect(covered.missed()).toEqual([]);
});

test("a fault that strikes at no held moment is missed, and so is a held moment at which none strikes", () => {
  const kinds = {
    faults: ["a.a", "a.b", "a.c"].map((name) => testFault(name, {})),
    triggers: [
      ...["b.a", "b.b", "b.c"].map((name) => testTrigger(name, {})),
      testTrigger("b.near", { holds: false }),
    ],
  };
  const covered = new Coverage(kinds, TEST_PLACE, DEFAULT_LOAD);
  const triggers = ["b.a", "b.b", "b.c"];
  for (let count = 0; count < 9; count += 1) {
    const trigger = triggers[count % 3]!;
    // One fault is drawn at each moment in turn, and at one of them another one strikes.
    covered.add([
      step(trigger, "missed", "a.a"),
      step("b.near", "struck", "a.a"),
      step("b.a", "struck", "a.b"),
    ]);
    covered.add([step("b.b", "missed", count % 2 === 0 ? "a.b" : "a.c")]);
  }
  expect(covered.missed()).toEqual(["nothing struck at b.b, in 12 schedules"]);
  covered.add([step("b.a", "never-fired", "a.a")]);
  expect(covered.missed()).toEqual([
    "a.a never struck, in 10 schedules",
    "nothing struck at b.b, in 12 schedules",
  ]);
  covered.add([step("b.b", "struck", "a.a")]);
  expect(covered.missed()).toEqual([]);
});

test("steps of faults that were not asked for are left out", () => {
  const covered = coverage();
  covered.add([step("volume.claim-linked", "struck", "pod.explode")]);
  expect(covered.cells.every(({ struck }) => struck === 0)).toBe(true);
});

test("more moments than letters have two of them", () => {
  const triggers = Array.from({ length: 28 }, (_, index) => testTrigger(`pod.t${index}`, {}));
  const table = new Coverage({ ...TEST_KINDS, triggers }, TEST_PLACE, DEFAULT_LOAD).table();
  expect(table).toContain("\nz  pod.t25\naa  pod.t26\nab  pod.t27");
  expect(table.split("\n")[0]).toMatch(/ y {2}z aa ab$/);
});
