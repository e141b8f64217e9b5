import { describe, expect, test } from "vitest";

import { hasCode } from "#consumer/errors.ts";
import { createAssignments } from "./assignments.ts";
import { saysAssignmentLost, toConsumerError } from "./errors.ts";
import { createGenerations } from "./generations.ts";

describe("assignments", () => {
  test("gives every partition of every generation an epoch of its own", () => {
    const assignments = createAssignments();
    assignments.grant({ a: [0, 1], b: [0] });
    const first = assignments.find("a", 1);
    assignments.grant({ a: [1] });
    const second = assignments.find("a", 1);
    expect(first?.signal.aborted).toBe(true);
    expect(hasCode(first?.signal.reason, "assignment-lost")).toBe(true);
    expect(second?.signal.aborted).toBe(false);
    expect(second!.epoch).toBeGreaterThan(first!.epoch);
    expect(assignments.find("b", 0)).toBeUndefined();
    expect(assignments.size).toBe(1);
  });

  test("aborts everything that is revoked, with the reason", () => {
    const assignments = createAssignments();
    assignments.grant({ a: [0] });
    const lost = assignments.find("a", 0);
    assignments.revoke("the session timed out");
    expect(String(lost?.signal.reason)).toContain("a/0 (epoch 1): the session timed out");
    expect(assignments.find("a", 0)).toBeUndefined();
  });
});

describe("generations", () => {
  test("suspect what was being fetched when the generation changed, until that broker is asked again", () => {
    const generations = createGenerations(1000, () => 0);
    generations.fetchStarted("1");
    generations.fetchStarted("2");
    expect(generations.maybeStale()).toBe(false);
    generations.changed();
    expect(generations.maybeStale()).toBe(true);
    generations.fetchStarted("1");
    expect(generations.maybeStale()).toBe(true);
    generations.fetchStarted("2");
    expect(generations.maybeStale()).toBe(false);
  });

  test("suspect nothing when all fetchers had stopped, and a broker that is gone only for a while", () => {
    let nowMs = 0;
    const generations = createGenerations(1000, () => nowMs);
    generations.fetchStarted("1");
    generations.fetchersStopped();
    generations.changed();
    expect(generations.maybeStale()).toBe(false);
    generations.fetchStarted("1");
    generations.changed();
    nowMs = 999;
    expect(generations.maybeStale()).toBe(true);
    nowMs = 1000;
    expect(generations.maybeStale()).toBe(false);
  });
});

const kafkaError = (type: string, cause?: Error) =>
  Object.assign(new Error(type, cause === undefined ? {} : { cause }), { type });

describe("errors of the broker", () => {
  test.each([
    ["SASL_AUTHENTICATION_FAILED", "broker-authentication"],
    ["TOPIC_AUTHORIZATION_FAILED", "broker-denied"],
    ["GROUP_AUTHORIZATION_FAILED", "broker-denied"],
    ["UNKNOWN_TOPIC_OR_PARTITION", "broker-unavailable"],
  ] as const)("%s is %s, however deep", (type, code) => {
    const wrapped = new Error("retries exceeded", { cause: kafkaError(type) });
    expect(toConsumerError(wrapped, "consume").code).toBe(code);
  });

  test("tells the loss of an assignment from a broken connection", () => {
    expect(saysAssignmentLost(kafkaError("REBALANCE_IN_PROGRESS"))).toBe(true);
    expect(saysAssignmentLost(new Error("x", { cause: kafkaError("UNKNOWN_MEMBER_ID") }))).toBe(
      true,
    );
    expect(saysAssignmentLost(kafkaError("NOT_COORDINATOR_FOR_GROUP"))).toBe(false);
    expect(saysAssignmentLost(new Error("Connection timeout"))).toBe(false);
  });

  test("survives causes that go round", () => {
    const error = new Error("round");
    error.cause = error;
    expect(toConsumerError(error, "consume").code).toBe("broker-unavailable");
  });
});
