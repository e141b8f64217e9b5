import { expect, test } from "vitest";
import { ClusterState } from "./cluster-state.ts";
import type { Group } from "#simulator/kafka/groups/group.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { clusterSettings } from "./options.ts";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function setUp() {
  const timers = new VirtualTimers();
  const cluster = new ClusterState(
    clusterSettings({ retentionCheckIntervalMs: HOUR_MS }),
    {},
    timers,
  );
  cluster.setNodes([{ id: 1, alive: true, endpoint: () => undefined }]);
  return { timers, cluster, housekeeping: startHousekeeping(cluster) };
}

const commit = (group: Group, committedAtMs: number) =>
  group.offsets.set("t", 0, { offset: 1n, leaderEpoch: -1, metadata: null, committedAtMs });

const join = (group: Group, requireMemberId: boolean) =>
  group.join({
    memberId: "",
    instanceId: null,
    clientId: "c",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: 30 * DAY_MS,
    rebalanceTimeoutMs: 30 * DAY_MS,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: Buffer.of() }],
    requireMemberId,
    canSkipAssignment: false,
  });

test("a group without members, offsets and pending members is forgotten", async () => {
  const { timers, cluster } = setUp();
  const pending = cluster.groups.getOrCreate("pending");
  const { memberId } = await join(pending, true);
  commit(cluster.groups.getOrCreate("committed"), 0);
  cluster.groups.getOrCreate("unused");
  timers.advance(HOUR_MS);
  const ids = () => cluster.groups.all().map((group) => group.id);
  expect(ids()).toEqual(["pending", "committed"]);
  pending.leave(memberId, null);
  timers.advance(HOUR_MS);
  expect(ids()).toEqual(["committed"]);
});

test("offsets of a group expire a week after their commit", () => {
  const { timers, cluster } = setUp();
  commit(cluster.groups.getOrCreate("g"), DAY_MS);
  timers.advance(8 * DAY_MS - 1);
  expect(cluster.groups.get("g")?.offsets.get("t", 0)).toBeDefined();
  timers.advance(HOUR_MS);
  expect(cluster.groups.get("g")).toBeUndefined();
});

test("offsets stay as long as the group has members, and a week longer", async () => {
  const { timers, cluster } = setUp();
  const group = cluster.groups.getOrCreate("g");
  commit(group, 0);
  const joining = join(group, false);
  timers.advance(0);
  const { memberId } = await joining;
  timers.advance(20 * DAY_MS);
  expect(group.offsets.get("t", 0)).toBeDefined();
  group.leave(memberId, null);
  timers.advance(7 * DAY_MS - HOUR_MS);
  expect(group.offsets.get("t", 0)).toBeDefined();
  timers.advance(2 * HOUR_MS);
  expect(cluster.groups.get("g")).toBeUndefined();
});

test("it leaves no timer when disposed of", () => {
  const { timers, housekeeping } = setUp();
  timers.advance(5 * HOUR_MS);
  housekeeping[Symbol.dispose]();
  expect(timers.pending).toBe(0);
});
