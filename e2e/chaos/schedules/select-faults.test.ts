import { expect, test } from "vitest";
import { UsageError } from "#e2e/errors.ts";
import { selectFaults } from "./select-faults.ts";
import { TEST_KINDS } from "./testing/test-kinds.ts";

const namesOf = (names: readonly string[]) =>
  selectFaults(names, TEST_KINDS.faults).map(({ name }) => name);

test("faults are chosen by name and by family", () => {
  expect(namesOf(["broker.outage", "pod"])).toEqual([
    "pod.kill",
    "pod.delete",
    "pod.freeze",
    "broker.outage",
  ]);
  expect(namesOf([])).toHaveLength(TEST_KINDS.faults.length);
});

test("unknown ones are refused with the list of those that exist", () => {
  expect(() => namesOf(["pod", "kill", "pod.kil"])).toThrow(UsageError);
  expect(() => namesOf(["pod", "kill", "pod.kil"])).toThrow(
    "--faults must be names or families of faults, got kill, pod.kil; known: broker, broker.outage, " +
      "broker.rebalance, endpoint, endpoint.failing, node, node.drain, pod, pod.delete, pod.freeze, pod.kill",
  );
});
