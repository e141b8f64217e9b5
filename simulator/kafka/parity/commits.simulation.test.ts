import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { offsetCommit } from "#simulator/kafka/apis/08-offset-commit.ts";
import { offsetFetch } from "#simulator/kafka/apis/09-offset-fetch.ts";
import { stableMember, WireMember } from "./wire-member.ts";
import { errorName, TestBed, until } from "./test-bed.ts";

let testBed: TestBed;
let topic: string;
beforeAll(async () => {
  testBed = await TestBed.open();
  topic = await testBed.createTopic(2);
});
afterAll(() => testBed[Symbol.asyncDispose]());

interface CommitOptions {
  readonly memberId?: string;
  readonly generation?: number;
  readonly instanceId?: string | null;
  readonly metadata?: string | null;
  readonly name?: string;
  readonly index?: number;
  readonly version?: number;
  readonly leaderEpoch?: number;
}

async function commit(group: string, offset: bigint, options: CommitOptions = {}): Promise<string> {
  const { memberId = "", generation = -1, instanceId = null, metadata = "m" } = options;
  const { name = topic, index = 0, version = 8, leaderEpoch = -1 } = options;
  const answer = await (
    await testBed.coordinator(group)
  ).call(offsetCommit, version, {
    groupId: group,
    generationId: generation,
    memberId,
    groupInstanceId: instanceId,
    topics: [
      {
        name,
        partitions: [
          {
            index,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch,
            committedMetadata: metadata,
          },
        ],
      },
    ],
  });
  return errorName(answer.topics[0]?.partitions[0]);
}

async function committed(group: string, version = 7) {
  const asked = [{ name: topic, partitions: [0, 1] }];
  const answer = await (
    await testBed.coordinator(group)
  ).call(offsetFetch, version, {
    groupId: group,
    topics: asked,
    groups: [{ groupId: group, topics: asked }],
  });
  const topics = version >= 8 ? answer.groups[0]?.topics : answer.topics;
  return topics?.[0]?.partitions;
}

describe("OffsetCommit", () => {
  test.each([2, 3, 4, 5, 6, 7, 8, 9])("version %i", async (version) => {
    const group = testBed.group();
    expect(await commit(group, 5n, { version, leaderEpoch: 0 })).toBe("NONE");
    expect(await committed(group)).toMatchObject([
      { committedOffset: 5n, committedLeaderEpoch: version >= 6 ? 0 : -1, metadata: "m" },
      { committedOffset: -1n },
    ]);
  });

  test("of the member in its generation", async () => {
    const { group, memberId, generation } = await stableMember(testBed, testBed.group());
    expect(await commit(group, 7n, { memberId, generation })).toBe("NONE");
    expect(await commit(group, 3n, { memberId, generation })).toBe("NONE");
    expect(await committed(group)).toMatchObject([{ committedOffset: 3n }, {}]);
  });

  test("of another generation, of another member, from outside while there are members", async () => {
    const { group, memberId, generation } = await stableMember(testBed, testBed.group());
    expect(await commit(group, 1n, { memberId, generation: generation + 1 })).toBe(
      "ILLEGAL_GENERATION",
    );
    expect(await commit(group, 1n, { memberId: "nobody", generation })).toBe("UNKNOWN_MEMBER_ID");
    expect(await commit(group, 1n)).toBe("UNKNOWN_MEMBER_ID");
    expect(await committed(group)).toMatchObject([{ committedOffset: -1n }, {}]);
  });

  test("of a member of a group that nobody has joined", async () => {
    const group = testBed.group();
    expect(await commit(group, 1n, { memberId: "nobody", generation: 1 })).toBe(
      "ILLEGAL_GENERATION",
    );
  });

  test("of a member of a group that has become empty", async () => {
    const member = await stableMember(testBed, testBed.group());
    const { group, memberId, generation } = member;
    await member.leave();
    expect(await commit(group, 1n, { memberId, generation })).toBe("UNKNOWN_MEMBER_ID");
    expect(await commit(group, 1n)).toBe("NONE");
  });

  test("while others join", async () => {
    const member = await stableMember(testBed, testBed.group());
    const { group, memberId, generation } = member;
    const other = await WireMember.open(testBed, group);
    const joining = other.join();
    await until("told", async () => (await member.beat()) === "REBALANCE_IN_PROGRESS");
    expect(await commit(group, 4n, { memberId, generation })).toBe("NONE");
    const [rejoined] = await Promise.all([member.join(), joining]);
    // The generation has changed and nobody has assigned yet.
    expect(await commit(group, 5n, { memberId, generation })).toBe("ILLEGAL_GENERATION");
    expect(await commit(group, 5n, { memberId, generation: rejoined.generationId })).toBe(
      "REBALANCE_IN_PROGRESS",
    );
    expect(await committed(group)).toMatchObject([{ committedOffset: 4n }, {}]);
  });

  test("of a topic and a partition that do not exist", async () => {
    const group = testBed.group();
    const error = "UNKNOWN_TOPIC_OR_PARTITION";
    expect(await commit(group, 1n, { index: 9 })).toBe(error);
    expect(await commit(group, 1n, { name: testBed.topicName() })).toBe(error);
  });

  test("with metadata of 4096 bytes, and of more, and of none", async () => {
    const group = testBed.group();
    expect(await commit(group, 1n, { metadata: "m".repeat(4096) })).toBe("NONE");
    expect(await commit(group, 2n, { metadata: "m".repeat(4097) })).toBe(
      "OFFSET_METADATA_TOO_LARGE",
    );
    expect(await committed(group)).toMatchObject([{ committedOffset: 1n }, {}]);
    expect(await commit(group, 3n, { metadata: null })).toBe("NONE");
    expect(await committed(group)).toMatchObject([{ committedOffset: 3n, metadata: "" }, {}]);
  });

  test("below 0 is kept as it is", async () => {
    const group = testBed.group();
    expect(await commit(group, -2n)).toBe("NONE");
    expect(await committed(group)).toMatchObject([{ committedOffset: -2n }, {}]);
  });

  test("of a static member, and of one that was replaced", async () => {
    const instanceId = `instance-${testBed.group()}`;
    const before = await stableMember(testBed, testBed.group(), { instanceId });
    const { group, memberId, generation } = before;
    expect(await commit(group, 1n, { memberId, generation, instanceId })).toBe("NONE");
    const after = await WireMember.open(testBed, group, { instanceId });
    await after.join();
    expect(await commit(group, 2n, { memberId, generation, instanceId })).toBe(
      "FENCED_INSTANCE_ID",
    );
  });

  test("of an empty group id, as old clients do", async () => {
    expect(await commit("", 6n)).toBe("NONE");
    expect(await committed("")).toMatchObject([{ committedOffset: 6n }, {}]);
  });
});

describe("OffsetFetch", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])("version %i", async (version) => {
    const group = testBed.group();
    await commit(group, 5n);
    expect(await committed(group, version)).toMatchObject([
      { index: 0, committedOffset: 5n, metadata: "m", errorCode: 0 },
      { index: 1, committedOffset: -1n, metadata: "", errorCode: 0 },
    ]);
  });

  test("of all that the group has", async () => {
    const group = testBed.group();
    await commit(group, 5n, { index: 1 });
    const answer = await (
      await testBed.coordinator(group)
    ).call(offsetFetch, 7, {
      groupId: group,
      topics: null,
    });
    expect(answer.topics).toMatchObject([
      { name: topic, partitions: [{ index: 1, committedOffset: 5n }] },
    ]);
  });

  test("of a group that does not exist", async () => {
    const group = testBed.group();
    expect(await committed(group)).toMatchObject([
      { committedOffset: -1n, metadata: "", errorCode: 0 },
      { committedOffset: -1n },
    ]);
    const answer = await (
      await testBed.coordinator(group)
    ).call(offsetFetch, 8, {
      groups: [{ groupId: group, topics: null }],
    });
    expect(answer.groups).toMatchObject([{ groupId: group, errorCode: 0, topics: [] }]);
  });

  test("of a topic that was deleted", async () => {
    const group = testBed.group();
    const own = await testBed.createTopic();
    await commit(group, 5n, { name: own });
    await testBed.deleteTopic(own);
    const asked = { groupId: group, topics: [{ name: own, partitions: [0] }] };
    let offset: bigint | undefined;
    await until("the offset is gone", async () => {
      const answer = await (await testBed.coordinator(group)).call(offsetFetch, 7, asked);
      offset = answer.topics[0]?.partitions[0]?.committedOffset;
      return offset !== 5n;
    });
    expect(offset).toBe(-1n);
  });

  test("at another node than the coordinator", async (context) => {
    const group = testBed.group();
    const coordinator = await testBed.coordinatorId(group);
    const other = await testBed.otherNode(coordinator, context);
    const answer = await other.call(offsetFetch, 8, {
      groups: [{ groupId: group, topics: [{ name: topic, partitions: [0] }] }],
    });
    expect(errorName(answer.groups[0])).toBe("NOT_COORDINATOR");
  });
});
