import { AssignerProtocol } from "kafkajs";
import { expect, test } from "vitest";
import { readAssignment } from "./assignment.ts";

test("reads an assignment that a client's assigner has written", () => {
  const bytes = AssignerProtocol.MemberAssignment.encode({
    version: 1,
    assignment: { ünïcode: [7], "bigpanda.incidents": [3, 0] },
    userData: Buffer.from("more"),
  });
  expect(readAssignment(bytes)).toEqual([
    { topic: "bigpanda.incidents", partition: 0 },
    { topic: "bigpanda.incidents", partition: 3 },
    { topic: "ünïcode", partition: 7 },
  ]);
});

test("nothing is assigned before the first assignment, and cut bytes are an error", () => {
  expect(readAssignment(Buffer.alloc(0))).toEqual([]);
  expect(() => readAssignment(Buffer.from([0, 1, 0, 0, 0, 1, 0]))).toThrow(RangeError);
});
