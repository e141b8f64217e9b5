import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { leaveGroup } from "#simulator/kafka/apis/13-leave-group.ts";
import { stableMember, WireMember } from "./wire-member.ts";
import { errorName, TestBed } from "./test-bed.ts";

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

const newInstance = () => `instance-${randomUUID()}`;

test("a member with an instance id is given its member id at once", async () => {
  const instanceId = newInstance();
  const member = await WireMember.open(testBed, testBed.group(), { instanceId });
  const joined = await member.tryJoin();
  expect(joined).toMatchObject({ error: "NONE", generationId: 1 });
  expect(joined.memberId.startsWith(`${instanceId}-`)).toBe(true);
  expect(joined.members).toMatchObject([{ groupInstanceId: instanceId }]);
});

test("a leader that comes back keeps its assignment, and no generation begins", async () => {
  const instanceId = newInstance();
  const before = await stableMember(testBed, testBed.group(), { instanceId });
  const after = await WireMember.open(testBed, before.group, { instanceId });
  const joined = await after.tryJoin(9);
  expect(joined).toMatchObject({
    error: "NONE",
    generationId: 1,
    leader: after.memberId,
    skipAssignment: true,
  });
  expect(after.memberId).not.toBe(before.memberId);
  expect(await after.sync()).toMatchObject({ error: "NONE", assignment: "all" });
});

test("before version 9 it is told that somebody else leads", async () => {
  const instanceId = newInstance();
  const before = await stableMember(testBed, testBed.group(), { instanceId });
  const after = await WireMember.open(testBed, before.group, { instanceId });
  expect(await after.tryJoin(8)).toMatchObject({
    error: "NONE",
    generationId: 1,
    leader: before.memberId,
    members: [],
  });
  expect(await after.sync()).toMatchObject({ error: "NONE", assignment: "all" });
});

test("the one that was replaced is fenced", async () => {
  const instanceId = newInstance();
  const before = await stableMember(testBed, testBed.group(), { instanceId });
  const after = await WireMember.open(testBed, before.group, { instanceId });
  await after.join();
  expect(await before.beat()).toBe("FENCED_INSTANCE_ID");
  expect((await before.sync()).error).toBe("FENCED_INSTANCE_ID");
  expect((await before.join()).error).toBe("FENCED_INSTANCE_ID");
  expect(await before.leave()).toBe("FENCED_INSTANCE_ID");
  expect(await after.beat()).toBe("NONE");
});

test("changed strategies begin a generation", async () => {
  const instanceId = newInstance();
  const before = await stableMember(testBed, testBed.group(), { instanceId });
  const after = await WireMember.open(testBed, before.group, {
    instanceId,
    protocols: ["sticky", "range"],
  });
  expect(await after.join()).toMatchObject({ error: "NONE", generationId: 2 });
});

test("an instance leaves by its name alone", async () => {
  const instanceId = newInstance();
  const member = await stableMember(testBed, testBed.group(), { instanceId });
  const leave = (groupInstanceId: string) =>
    member.connection.call(leaveGroup, 5, {
      groupId: member.group,
      members: [{ memberId: "", groupInstanceId }],
    });
  const unknown = await leave("nobody");
  expect(errorName(unknown.members[0])).toBe("UNKNOWN_MEMBER_ID");
  const left = await leave(instanceId);
  expect(errorName(left.members[0])).toBe("NONE");
  expect(await member.beat()).toBe("UNKNOWN_MEMBER_ID");
});
