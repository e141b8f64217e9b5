import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listGroups } from "#simulator/kafka/apis/16-list-groups.ts";
import { deleteGroups } from "#simulator/kafka/apis/42-delete-groups.ts";
import { describeGroup, metadataOf, stableMember } from "./wire-member.ts";
import { errorName, TestBed } from "./test-bed.ts";

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

async function deleteGroup(group: string): Promise<string> {
  const { results } = await (
    await testBed.coordinator(group)
  ).call(deleteGroups, 2, {
    groups: [group],
  });
  return errorName(results[0]);
}

describe("DescribeGroups and ListGroups", () => {
  test("show a stable group", async () => {
    const member = await stableMember(testBed, testBed.group());
    expect(await describeGroup(testBed, member.group)).toMatchObject({
      errorCode: 0,
      groupState: "Stable",
      protocolType: "consumer",
      protocolData: "range",
      authorizedOperations: -2_147_483_648,
      members: [
        {
          memberId: member.memberId,
          clientId: "parity",
          clientHost: expect.stringMatching(/^\//),
          memberMetadata: metadataOf("range"),
          memberAssignment: Buffer.from("all"),
        },
      ],
    });
    const { groups } = await member.connection.call(listGroups, 5, {});
    expect(groups.find(({ groupId }) => groupId === member.group)).toEqual({
      groupId: member.group,
      protocolType: "consumer",
      groupState: "Stable",
      groupType: "classic",
    });
  });

  test.each([0, 1, 2, 3, 4, 5])("DescribeGroups version %i", async (version) => {
    const member = await stableMember(testBed, testBed.group());
    expect(await describeGroup(testBed, member.group, version)).toMatchObject({
      groupState: "Stable",
    });
  });

  test.each([0, 1, 2, 3, 4, 5])("ListGroups version %i", async (version) => {
    const member = await stableMember(testBed, testBed.group());
    const { groups } = await member.connection.call(listGroups, version, {});
    expect(groups.map(({ groupId }) => groupId)).toContain(member.group);
  });

  test("filter by state and type", async () => {
    const member = await stableMember(testBed, testBed.group());
    const isListed = async (filter: { statesFilter?: string[]; typesFilter?: string[] }) => {
      const { groups } = await member.connection.call(listGroups, 5, filter);
      return groups.some(({ groupId }) => groupId === member.group);
    };
    expect(await isListed({ statesFilter: ["Stable"] })).toBe(true);
    expect(await isListed({ statesFilter: ["stable"] })).toBe(true);
    expect(await isListed({ statesFilter: ["Empty"] })).toBe(false);
    expect(await isListed({ typesFilter: ["classic"] })).toBe(true);
    expect(await isListed({ typesFilter: ["consumer"] })).toBe(false);
  });

  test("show a group that is completing its rebalance with the assignments from before", async () => {
    const member = await stableMember(testBed, testBed.group());
    await member.join();
    const shown = await describeGroup(testBed, member.group);
    expect(shown).toMatchObject({ groupState: "CompletingRebalance", protocolData: "" });
    expect(shown?.members[0]).toMatchObject({
      memberMetadata: Buffer.alloc(0),
      memberAssignment: Buffer.from("all"),
    });
  });

  test("of a group that does not exist, and of no id", async () => {
    const group = testBed.group();
    expect(await describeGroup(testBed, group)).toMatchObject({
      errorCode: 0,
      groupState: "Dead",
      protocolType: "",
      members: [],
    });
    expect(await describeGroup(testBed, "")).toMatchObject({ errorCode: 0 });
  });
});

describe("DeleteGroups", () => {
  test("of a group with members, of an empty one, of none", async () => {
    const member = await stableMember(testBed, testBed.group());
    expect(await deleteGroup(member.group)).toBe("NON_EMPTY_GROUP");
    await member.leave();
    expect(await deleteGroup(member.group)).toBe("NONE");
    expect(await describeGroup(testBed, member.group)).toMatchObject({ groupState: "Dead" });
    expect(await deleteGroup(member.group)).toBe("GROUP_ID_NOT_FOUND");
  });
});
