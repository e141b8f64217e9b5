import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findCoordinator } from "#simulator/kafka/apis/10-find-coordinator.ts";
import { joinGroup } from "#simulator/kafka/apis/11-join-group.ts";
import { heartbeat } from "#simulator/kafka/apis/12-heartbeat.ts";
import { leaveGroup } from "#simulator/kafka/apis/13-leave-group.ts";
import { syncGroup } from "#simulator/kafka/apis/14-sync-group.ts";
import { describeGroup, metadataOf, stableMember, WireMember } from "./wire-member.ts";
import { errorName, TestBed, until } from "./test-bed.ts";

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

/** Makes a stable group of two. The second member joined while the first was there. */
async function pair(options = {}) {
  const group = testBed.group();
  const first = await stableMember(testBed, group, options);
  const second = await WireMember.open(testBed, group, options);
  const joining = second.join();
  await until("the first is told", async () => (await first.beat()) === "REBALANCE_IN_PROGRESS");
  const [rejoined, joined] = await Promise.all([first.join(), joining]);
  return { group, first, second, rejoined, joined };
}

describe("FindCoordinator", () => {
  test.each([0, 1, 2, 3])("version %i", async (version) => {
    const key = testBed.group();
    await testBed.coordinatorId(key);
    const answer = await testBed.any.call(findCoordinator, version, { key, keyType: 0 });
    expect(answer.errorCode).toBe(0);
    expect(answer.nodeId).toBe(await testBed.coordinatorId(key));
    expect(answer.port).toBeGreaterThan(0);
  });

  test("of several groups", async () => {
    const keys = [testBed.group(), testBed.group()];
    await testBed.coordinatorId(keys[0] ?? "");
    const { coordinators } = await testBed.any.call(findCoordinator, 4, { keyType: 0, keys });
    expect(coordinators.map((one) => [one.key, one.errorCode])).toEqual(
      keys.map((key) => [key, 0]),
    );
  });

  test("of an empty group id, which old clients commit for", async () => {
    const answer = await testBed.any.call(findCoordinator, 3, { key: "", keyType: 0 });
    expect(errorName(answer)).toBe("NONE");
  });

  test("of an unknown type", async () => {
    const { coordinators } = await testBed.any.call(findCoordinator, 4, {
      keyType: 9,
      keys: ["x"],
    });
    expect(coordinators.map((one) => errorName(one))).toEqual(["INVALID_REQUEST"]);
  });
});

describe("JoinGroup", () => {
  test("returns an id first, then the generation", async () => {
    const member = await WireMember.open(testBed, testBed.group());
    const first = await member.tryJoin();
    expect(first).toMatchObject({
      error: "MEMBER_ID_REQUIRED",
      generationId: -1,
      protocolName: null,
      leader: "",
      members: [],
    });
    expect(first.memberId).toMatch(/^parity-/);
    const { memberId } = first;
    expect(await member.tryJoin()).toMatchObject({
      error: "NONE",
      memberId,
      leader: memberId,
      generationId: 1,
      protocolType: "consumer",
      protocolName: "range",
      skipAssignment: false,
      members: [{ memberId, groupInstanceId: null, metadata: metadataOf("range") }],
    });
  });

  test.each([2, 3])("version %i needs no second request", async (version) => {
    const member = await WireMember.open(testBed, testBed.group());
    expect(await member.tryJoin(version)).toMatchObject({
      error: "NONE",
      generationId: 1,
      leader: member.memberId,
      protocolName: "range",
    });
  });

  test.each([4, 5, 6, 7, 8, 9])("version %i", async (version) => {
    const member = await WireMember.open(testBed, testBed.group());
    expect(await member.join(version)).toMatchObject({ error: "NONE", generationId: 1 });
  });

  test("tells the members to the leader only", async () => {
    const { first, second, rejoined, joined } = await pair();
    expect(rejoined.leader).toBe(first.memberId);
    expect(rejoined.members.map(({ memberId }) => memberId).toSorted()).toEqual(
      [first.memberId, second.memberId].toSorted(),
    );
    expect(joined).toMatchObject({ generationId: 2, leader: first.memberId, members: [] });
  });

  test("chooses the strategy that all support and most prefer", async () => {
    const group = testBed.group();
    const first = await stableMember(testBed, group, { protocols: ["range", "sticky"] });
    const second = await WireMember.open(testBed, group, { protocols: ["roundrobin", "sticky"] });
    const joining = second.join();
    await until("told", async () => (await first.beat()) === "REBALANCE_IN_PROGRESS");
    expect(await first.join()).toMatchObject({ protocolName: "sticky" });
    expect(await joining).toMatchObject({ protocolName: "sticky" });
  });

  test("refuses a strategy that the others do not know, and another type", async () => {
    const group = testBed.group();
    await stableMember(testBed, group);
    const other = await WireMember.open(testBed, group, { protocols: ["sticky"] });
    expect(await other.tryJoin()).toMatchObject({ error: "INCONSISTENT_GROUP_PROTOCOL" });
    const worker = await WireMember.open(testBed, group, { protocolType: "connect" });
    expect(await worker.tryJoin()).toMatchObject({ error: "INCONSISTENT_GROUP_PROTOCOL" });
  });

  test("refuses no strategy and no type", async () => {
    const group = testBed.group();
    const none = await WireMember.open(testBed, group, { protocols: [] });
    expect(await none.tryJoin()).toMatchObject({ error: "INCONSISTENT_GROUP_PROTOCOL" });
    const untyped = await WireMember.open(testBed, group, { protocolType: "" });
    expect(await untyped.tryJoin()).toMatchObject({ error: "INCONSISTENT_GROUP_PROTOCOL" });
  });

  test.each([0, -1, 3_600_000_000 / 1800])("a session of %i ms", async (sessionTimeoutMs) => {
    const member = await WireMember.open(testBed, testBed.group(), { sessionTimeoutMs });
    expect(await member.tryJoin()).toMatchObject({ error: "INVALID_SESSION_TIMEOUT" });
  });

  test("with an id that was never given", async () => {
    const unused = await WireMember.open(testBed, testBed.group());
    expect(await unused.tryJoin(9, "nobody")).toMatchObject({ error: "UNKNOWN_MEMBER_ID" });
    const group = testBed.group();
    await stableMember(testBed, group);
    const other = await WireMember.open(testBed, group);
    expect(await other.tryJoin(9, "nobody")).toMatchObject({ error: "UNKNOWN_MEMBER_ID" });
  });

  test("of an empty group id", async () => {
    const answer = await testBed.any.call(joinGroup, 9, {
      groupId: "",
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      memberId: "",
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: metadataOf("range") }],
    });
    expect(errorName(answer)).toBe("INVALID_GROUP_ID");
  });

  test("of a follower that is unchanged gives the generation again", async () => {
    const { first, second } = await pair();
    await first.sync({ [first.memberId]: "a", [second.memberId]: "b" });
    await second.sync();
    expect(await second.join()).toMatchObject({ error: "NONE", generationId: 2, members: [] });
    expect(await first.beat()).toBe("NONE");
  });

  test("of the leader begins a new generation", async () => {
    const member = await stableMember(testBed, testBed.group());
    expect(await member.join()).toMatchObject({ error: "NONE", generationId: 2 });
  });

  test("of a follower whose strategies have changed begins a new generation", async () => {
    const { group, first, second } = await pair();
    await first.sync({ [first.memberId]: "a", [second.memberId]: "b" });
    await second.sync();
    const changed = await WireMember.open(testBed, group, { protocols: ["range", "sticky"] });
    changed.memberId = second.memberId;
    const joining = changed.join();
    await until("told", async () => (await first.beat()) === "REBALANCE_IN_PROGRESS");
    expect(await first.join()).toMatchObject({ error: "NONE", generationId: 3 });
    expect(await joining).toMatchObject({ error: "NONE", generationId: 3 });
  });

  test("at another node than the coordinator", async (context) => {
    const group = testBed.group();
    const coordinator = await testBed.coordinatorId(group);
    const other = await testBed.otherNode(coordinator, context);
    const answer = await other.call(joinGroup, 9, {
      groupId: group,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      memberId: "",
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: metadataOf("range") }],
    });
    expect(errorName(answer)).toBe("NOT_COORDINATOR");
  });
});

describe("SyncGroup", () => {
  test("waits for the leader and returns each member's assignment", async () => {
    const { first, second } = await pair();
    const waiting = second.sync();
    const own = await first.sync({ [first.memberId]: "a", [second.memberId]: "b" });
    expect(own).toMatchObject({
      error: "NONE",
      assignment: "a",
      protocolType: "consumer",
      protocolName: "range",
    });
    expect(await waiting).toMatchObject({ error: "NONE", assignment: "b" });
    // The answer is the same as often as a member asks.
    expect(await second.sync()).toMatchObject({ error: "NONE", assignment: "b" });
  });

  test.each([0, 1, 2, 3, 4, 5])("version %i", async (version) => {
    const member = await WireMember.open(testBed, testBed.group());
    await member.join();
    const synced = await member.sync({ [member.memberId]: "x" }, { version });
    expect(synced).toMatchObject({ error: "NONE", assignment: "x" });
  });

  test("of a member that the leader forgot gives nothing", async () => {
    const { first, second } = await pair();
    await first.sync({ [first.memberId]: "a" });
    expect(await second.sync()).toMatchObject({ error: "NONE", assignment: "" });
  });

  test("of another generation, member or strategy", async () => {
    const member = await WireMember.open(testBed, testBed.group());
    await member.join();
    const { generation } = member;
    expect((await member.sync({}, { generation: generation + 1 })).error).toBe(
      "ILLEGAL_GENERATION",
    );
    expect((await member.sync({}, { memberId: "nobody" })).error).toBe("UNKNOWN_MEMBER_ID");
    const inconsistent = "INCONSISTENT_GROUP_PROTOCOL";
    expect((await member.sync({}, { protocolName: "sticky" })).error).toBe(inconsistent);
    expect((await member.sync({}, { protocolType: "connect" })).error).toBe(inconsistent);
    expect((await member.sync({}, { protocolName: null })).error).toBe(inconsistent);
  });

  test("ends with an error when somebody else joins meanwhile", async () => {
    const { group, second } = await pair();
    const waiting = second.sync();
    const third = await WireMember.open(testBed, group);
    const joining = third.join();
    expect((await waiting).error).toBe("REBALANCE_IN_PROGRESS");
    void joining.catch(() => undefined);
  });

  test("of a group that nobody has joined", async () => {
    const group = testBed.group();
    const answer = await (
      await testBed.coordinator(group)
    ).call(syncGroup, 5, {
      groupId: group,
      generationId: 1,
      memberId: "nobody",
      protocolType: "consumer",
      protocolName: "range",
      assignments: [],
    });
    expect(errorName(answer)).toBe("UNKNOWN_MEMBER_ID");
  });
});

describe("Heartbeat", () => {
  test.each([0, 1, 2, 3, 4])("version %i", async (version) => {
    const member = await stableMember(testBed, testBed.group());
    expect(await member.beat({ version })).toBe("NONE");
  });

  test("while the leader has not assigned yet", async () => {
    const member = await WireMember.open(testBed, testBed.group());
    await member.join();
    expect(await member.beat()).toBe("NONE");
  });

  test("of another generation or member, of a group that does not exist", async () => {
    const member = await stableMember(testBed, testBed.group());
    expect(await member.beat({ generation: 0 })).toBe("ILLEGAL_GENERATION");
    expect(await member.beat({ memberId: "nobody" })).toBe("UNKNOWN_MEMBER_ID");
    const group = testBed.group();
    const answer = await (
      await testBed.coordinator(group)
    ).call(heartbeat, 4, {
      groupId: group,
      generationId: 1,
      memberId: "nobody",
    });
    expect(errorName(answer)).toBe("UNKNOWN_MEMBER_ID");
  });

  test("tells of a rebalance that has begun", async () => {
    const group = testBed.group();
    const first = await stableMember(testBed, group);
    const second = await WireMember.open(testBed, group);
    const joining = second.join();
    await until("told", async () => (await first.beat()) === "REBALANCE_IN_PROGRESS");
    expect(await first.leave()).toBe("NONE");
    expect(await joining).toMatchObject({ error: "NONE", leader: second.memberId });
  });

  test("that is missing ends the session, and the others go on", async () => {
    const { sessionTimeoutMsMin } = testBed.broker;
    const group = testBed.group();
    const gone = await stableMember(testBed, group, { sessionTimeoutMs: sessionTimeoutMsMin });
    await until(
      "it is out",
      async () => (await describeGroup(testBed, group))?.groupState === "Empty",
    );
    expect(await gone.beat()).toBe("UNKNOWN_MEMBER_ID");
    const next = await WireMember.open(testBed, group);
    expect(await next.join()).toMatchObject({ error: "NONE", leader: next.memberId });
  });
});

describe("LeaveGroup", () => {
  test.each([0, 1, 2])("version %i", async (version) => {
    const member = await stableMember(testBed, testBed.group());
    const { group: groupId, memberId } = member;
    const answer = await member.connection.call(leaveGroup, version, { groupId, memberId });
    expect(errorName(answer)).toBe("NONE");
    const again = await member.connection.call(leaveGroup, version, { groupId, memberId });
    expect(errorName(again)).toBe("UNKNOWN_MEMBER_ID");
  });

  test("of several members, each with its own answer", async () => {
    const { group, first, second } = await pair();
    const answer = await first.connection.call(leaveGroup, 5, {
      groupId: group,
      members: ["nobody", second.memberId].map((memberId) => ({ memberId, groupInstanceId: null })),
    });
    expect(errorName(answer)).toBe("NONE");
    expect(answer.members.map((one) => [one.memberId, errorName(one)])).toEqual([
      ["nobody", "UNKNOWN_MEMBER_ID"],
      [second.memberId, "NONE"],
    ]);
  });

  test("of a group that does not exist", async () => {
    const group = testBed.group();
    const answer = await (
      await testBed.coordinator(group)
    ).call(leaveGroup, 5, {
      groupId: group,
      members: [{ memberId: "nobody", groupInstanceId: null }],
    });
    const errors = [errorName(answer), ...answer.members.map((one) => errorName(one))];
    expect(errors).toContain("UNKNOWN_MEMBER_ID");
  });

  test("of the last one leaves an empty group with its next generation", async () => {
    const member = await stableMember(testBed, testBed.group());
    await member.leave();
    expect(await describeGroup(testBed, member.group)).toMatchObject({
      groupState: "Empty",
      members: [],
    });
    expect(await member.beat()).toBe("UNKNOWN_MEMBER_ID");
    const next = await WireMember.open(testBed, member.group);
    expect(await next.join()).toMatchObject({ error: "NONE", generationId: 3 });
  });

  test("of the leader makes another one lead", async () => {
    const { first, second } = await pair();
    await first.sync({ [first.memberId]: "a", [second.memberId]: "b" });
    await second.sync();
    await first.leave();
    expect(await second.beat()).toBe("REBALANCE_IN_PROGRESS");
    expect(await second.join()).toMatchObject({ generationId: 3, leader: second.memberId });
  });
});
