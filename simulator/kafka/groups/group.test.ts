import { describe, expect, test } from "vitest";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import { Group } from "./group.ts";
import type { JoinRequest, JoinResult } from "./member.ts";

const SESSION_MS = 10_000;
const REBALANCE_MS = 30_000;

function setUp(initialRebalanceDelayMs = 0) {
  const timers = new VirtualTimers();
  return { timers, group: new Group("g", timers, initialRebalanceDelayMs) };
}

function joinRequest(changes: Partial<JoinRequest> = {}): JoinRequest {
  return {
    memberId: "",
    instanceId: null,
    clientId: "c",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: SESSION_MS,
    rebalanceTimeoutMs: REBALANCE_MS,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: Buffer.from("m") }],
    requireMemberId: false,
    canSkipAssignment: true,
    ...changes,
  };
}

function protocols(...names: string[]) {
  return names.map((name) => ({ name, metadata: Buffer.from(name) }));
}

function sync(group: Group, joined: JoinResult, assignments: Record<string, string> = {}) {
  return group.sync({
    memberId: joined.memberId,
    instanceId: null,
    generation: joined.generation,
    protocolType: null,
    protocolName: null,
    assignments: Object.entries(assignments).map(([memberId, text]) => ({
      memberId,
      assignment: Buffer.from(text),
    })),
  });
}

/** Makes a stable group of generation 1 with one member. */
async function oneMember(changes: Partial<JoinRequest> = {}) {
  const { timers, group } = setUp();
  const joining = group.join(joinRequest(changes));
  timers.advance(0);
  const first = await joining;
  await sync(group, first, { [first.memberId]: "all" });
  return { timers, group, first };
}

/** Adds a second member, in generation 2. The first one leads. */
async function twoMembers(changes: Partial<JoinRequest> = {}) {
  const { timers, group, first } = await oneMember(changes);
  const joiningSecond = group.join(joinRequest(changes));
  const rejoiningFirst = group.join(joinRequest({ ...changes, memberId: first.memberId }));
  const [second, leader] = await Promise.all([joiningSecond, rejoiningFirst]);
  const synced = await Promise.all([
    sync(group, second),
    sync(group, leader, { [leader.memberId]: "one", [second.memberId]: "two" }),
  ]);
  return { timers, group, leader, second, synced };
}

describe("joining", () => {
  test("the first member leads and is told the members", async () => {
    const { group, first } = await oneMember();
    expect(first).toMatchObject({ error: "NONE", generation: 1, leaderId: first.memberId });
    expect(first.members.map((member) => member.memberId)).toEqual([first.memberId]);
    expect(group.state).toBe("Stable");
  });

  test("a new member makes the others join again, and only the leader is told the members", async () => {
    const { group, leader, second, synced } = await twoMembers();
    expect(leader.generation).toBe(2);
    expect(second.generation).toBe(2);
    expect(second.leaderId).toBe(leader.memberId);
    expect(second.members).toEqual([]);
    expect(leader.members).toHaveLength(2);
    expect(synced.map((result) => String(result.assignment))).toEqual(["two", "one"]);
    expect(group.state).toBe("Stable");
  });

  test("a new dynamic member has to come back with its id, and delays the join until it does", async () => {
    const { group, first } = await oneMember();
    const refused = await group.join(joinRequest({ requireMemberId: true }));
    expect(refused.error).toBe("MEMBER_ID_REQUIRED");
    group.rebalance();
    const rejoining = group.join(joinRequest({ memberId: first.memberId }));
    expect(group.state).toBe("PreparingRebalance");
    await group.join(joinRequest({ memberId: refused.memberId }));
    await rejoining;
    expect(group.members).toHaveLength(2);
  });

  test("an unused member id is forgotten after its session", async () => {
    const { timers, group, first } = await oneMember({ sessionTimeoutMs: 60_000 });
    await group.join(joinRequest({ requireMemberId: true }));
    group.rebalance();
    const rejoining = group.join(joinRequest({ memberId: first.memberId }));
    timers.advance(SESSION_MS);
    await expect(rejoining).resolves.toMatchObject({ error: "NONE", generation: 2 });
  });

  test("an unknown id and foreign strategies are refused", async () => {
    const { group } = await oneMember();
    const stranger = await group.join(joinRequest({ memberId: "x" }));
    expect(stranger).toMatchObject({ error: "UNKNOWN_MEMBER_ID", generation: -1 });
    const other = await group.join(
      joinRequest({ protocols: [{ name: "x", metadata: Buffer.of() }] }),
    );
    expect(other.error).toBe("INCONSISTENT_GROUP_PROTOCOL");
    const connect = await group.join(joinRequest({ protocolType: "connect" }));
    expect(connect.error).toBe("INCONSISTENT_GROUP_PROTOCOL");
  });

  test("a strategy that all members support is chosen by vote", async () => {
    const { timers, group } = setUp(100);
    const joins = [
      group.join(joinRequest({ protocols: protocols("a", "b", "c") })),
      group.join(joinRequest({ protocols: protocols("c", "b") })),
      group.join(joinRequest({ protocols: protocols("b", "c") })),
    ];
    timers.advance(200);
    const [first] = await Promise.all(joins);
    expect(first?.protocolName).toBe("b");
  });

  test("an empty group collects its first members for as long as they keep coming", async () => {
    const { timers, group } = setUp(100);
    const first = group.join(joinRequest());
    timers.advance(90);
    const second = group.join(joinRequest());
    timers.advance(90);
    expect(group.state).toBe("PreparingRebalance");
    timers.advance(20);
    await expect(Promise.all([first, second])).resolves.toMatchObject([
      { generation: 1 },
      { generation: 1 },
    ]);
  });
});

describe("losing members", () => {
  test("a silent member is removed when its session ends, and not before", async () => {
    const { timers, group, leader, second } = await twoMembers();
    timers.advance(SESSION_MS - 1);
    expect(group.heartbeat(leader.memberId, null, 2)).toBe("NONE");
    expect(group.members).toHaveLength(2);
    timers.advance(1);
    expect(group.members.map((member) => member.id)).toEqual([leader.memberId]);
    expect(group.heartbeat(second.memberId, null, 2)).toBe("UNKNOWN_MEMBER_ID");
    expect(group.heartbeat(leader.memberId, null, 2)).toBe("REBALANCE_IN_PROGRESS");
  });

  test("a member that does not join again within the rebalance timeout is removed", async () => {
    const { timers, group, leader, second } = await twoMembers();
    group.rebalance();
    const rejoining = group.join(joinRequest({ memberId: leader.memberId }));
    for (let elapsed = 0; elapsed < REBALANCE_MS; elapsed += 5000) {
      expect(group.heartbeat(second.memberId, null, 2)).toBe("REBALANCE_IN_PROGRESS");
      timers.advance(5000);
    }
    await expect(rejoining).resolves.toMatchObject({ generation: 3 });
    expect(group.members.map((member) => member.id)).toEqual([leader.memberId]);
  });

  test("a member that joins and never syncs is removed, so that the others go on", async () => {
    const patient = { sessionTimeoutMs: 2 * REBALANCE_MS };
    const { timers, group, leader, second } = await twoMembers(patient);
    group.rebalance();
    const [, again] = await Promise.all([
      group.join(joinRequest({ ...patient, memberId: leader.memberId })),
      group.join(joinRequest({ ...patient, memberId: second.memberId })),
    ]);
    const syncing = sync(group, again);
    timers.advance(REBALANCE_MS - 1);
    expect(group.members).toHaveLength(2);
    timers.advance(1);
    await expect(syncing).resolves.toMatchObject({ error: "REBALANCE_IN_PROGRESS" });
    expect(group.members.map((member) => member.id)).toEqual([second.memberId]);
  });

  test("a leaving member hands over its partitions at once, and the last one leaves an empty group", async () => {
    const { timers, group, leader, second } = await twoMembers();
    expect(group.leave(leader.memberId, null)).toBe("NONE");
    expect(group.state).toBe("PreparingRebalance");
    await group.join(joinRequest({ memberId: second.memberId }));
    expect(group.leaderId).toBe(second.memberId);
    expect(group.leave(second.memberId, null)).toBe("NONE");
    expect(group.state).toBe("Empty");
    expect(timers.pending).toBe(0);
  });
});

describe("generations", () => {
  test("a member of another generation may neither send heartbeats, nor sync, nor commit", async () => {
    const { group, leader } = await twoMembers();
    expect(group.heartbeat(leader.memberId, null, 1)).toBe("ILLEGAL_GENERATION");
    expect(group.mayCommit(leader.memberId, null, 1)).toBe("ILLEGAL_GENERATION");
    const synced = await sync(group, { ...leader, generation: 1 });
    expect(synced.error).toBe("ILLEGAL_GENERATION");
  });

  test("commits are accepted while members join again, but not while they sync or from unknown members", async () => {
    const { group, leader, second } = await twoMembers();
    group.rebalance();
    expect(group.mayCommit(leader.memberId, null, 2)).toBe("NONE");
    await Promise.all([
      group.join(joinRequest({ memberId: leader.memberId })),
      group.join(joinRequest({ memberId: second.memberId })),
    ]);
    expect(group.state).toBe("CompletingRebalance");
    expect(group.mayCommit(leader.memberId, null, 3)).toBe("REBALANCE_IN_PROGRESS");
    expect(group.mayCommit("x", null, 3)).toBe("UNKNOWN_MEMBER_ID");
    expect(group.mayCommit("", null, -1)).toBe("UNKNOWN_MEMBER_ID");
  });

  test("a rebalance makes members that wait to sync join again", async () => {
    const { group, second } = await twoMembers();
    group.rebalance();
    await Promise.all(
      group.members.map((member) => group.join(joinRequest({ memberId: member.id }))),
    );
    const syncing = sync(group, { ...second, generation: 3 });
    group.rebalance();
    await expect(syncing).resolves.toMatchObject({ error: "REBALANCE_IN_PROGRESS" });
  });
});

describe("static members", () => {
  test("a member that comes back without its id keeps its assignment, and its old id is fenced", async () => {
    const { group, first } = await oneMember({ instanceId: "pod-0" });
    const again = await group.join(joinRequest({ instanceId: "pod-0" }));
    expect(again).toMatchObject({ error: "NONE", generation: 1, skipAssignment: true });
    expect(again.memberId).not.toBe(first.memberId);
    const synced = await sync(group, again);
    expect(String(synced.assignment)).toBe("all");
    expect(group.heartbeat(first.memberId, "pod-0", 1)).toBe("FENCED_INSTANCE_ID");
    expect(group.heartbeat(again.memberId, "pod-0", 1)).toBe("NONE");
  });

  test("an absent member keeps its place until its session ends", async () => {
    const { timers, group } = await oneMember({ instanceId: "pod-0" });
    const joining = group.join(joinRequest({ instanceId: "pod-1" }));
    timers.advance(SESSION_MS - 1);
    expect(group.members).toHaveLength(2);
    timers.advance(1);
    await expect(joining).resolves.toMatchObject({ error: "NONE", generation: 2 });
    expect(group.members.map((member) => member.instanceId)).toEqual(["pod-1"]);
  });
});

describe("control from outside", () => {
  test("a rebalance begins once: only a group with a complete generation can begin the next one", async () => {
    const { group } = await twoMembers();
    expect(group.rebalance()).toBe(true);
    expect(group.state).toBe("PreparingRebalance");
    expect(group.rebalance()).toBe(false);
    expect(setUp().group.rebalance()).toBe(false);
  });

  test("an advanced session ends earlier by that time, for this member only", async () => {
    const { timers, group, leader, second } = await twoMembers();
    group.advanceSession(second.memberId, SESSION_MS - 100);
    timers.advance(99);
    expect(group.members).toHaveLength(2);
    timers.advance(1);
    expect(group.members.map(({ id }) => id)).toEqual([leader.memberId]);
    expect(group.state).toBe("PreparingRebalance");
    expect(group.heartbeat(second.memberId, null, 2)).toBe("UNKNOWN_MEMBER_ID");
  });

  test("a session that is advanced to its end ends at once, and a sign of life renews it completely", async () => {
    const { timers, group, leader, second } = await twoMembers();
    group.advanceSession(second.memberId, SESSION_MS - 2);
    timers.advance(1);
    for (const { id } of group.members) group.heartbeat(id, null, 2);
    timers.advance(SESSION_MS - 1);
    expect(group.members).toHaveLength(2);
    for (const { id } of group.members) group.heartbeat(id, null, 2);
    group.advanceSession(second.memberId, SESSION_MS / 2);
    group.advanceSession(second.memberId, SESSION_MS / 2);
    expect(group.members.map(({ id }) => id)).toEqual([leader.memberId]);
    group.advanceSession("nobody", 1);
  });

  test("an evicted group answers waiting members, keeps its offsets and accepts new members", async () => {
    const { timers, group, leader, second } = await twoMembers();
    const committed = { offset: 3n, leaderEpoch: -1, metadata: null, committedAtMs: 0 };
    group.offsets.set("t", 0, committed);
    group.rebalance();
    const joining = group.join(joinRequest({ memberId: second.memberId }));
    group.evict();
    await expect(joining).resolves.toMatchObject({ error: "UNKNOWN_MEMBER_ID" });
    expect(group.heartbeat(leader.memberId, null, 2)).toBe("UNKNOWN_MEMBER_ID");
    expect(group).toMatchObject({ state: "Empty", generation: 3, members: [] });
    expect(group.offsets.get("t", 0)).toBe(committed);
    expect(timers.pending).toBe(0);
    const again = group.join(joinRequest());
    timers.advance(0);
    await expect(again).resolves.toMatchObject({ error: "NONE", generation: 4 });
  });

  test("evicting an empty group changes nothing", () => {
    const { group } = setUp();
    group.evict();
    expect(group).toMatchObject({ state: "Empty", generation: 0 });
  });
});

test("closing answers all waiting members and leaves no timer", async () => {
  const { timers, group, leader } = await twoMembers();
  group.rebalance();
  const joining = group.join(joinRequest({ memberId: leader.memberId }));
  group.close("COORDINATOR_NOT_AVAILABLE");
  await expect(joining).resolves.toMatchObject({ error: "COORDINATOR_NOT_AVAILABLE" });
  expect(timers.pending).toBe(0);
});
