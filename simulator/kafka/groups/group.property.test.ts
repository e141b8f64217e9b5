import * as fc from "fast-check";
import { expect, test } from "vitest";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import { Group } from "./group.ts";
import type { JoinResult, SyncRequest, SyncResult } from "./member.ts";

/** A step of the model: one of these actions of one member. */
type Step =
  | { readonly do: "join" | "beat" | "leave"; readonly who: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "advance"; readonly who: number; readonly ms: number }
  | { readonly do: "rebalance" }
  | { readonly do: "evict" };

const PARTITIONS = 6;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("join", "beat", "leave"), who: fc.nat({ max: 3 }) }),
  fc.record({
    do: fc.constant("wait" as const),
    ms: fc.constantFrom(0, 100, 4000, 11_000, 31_000),
  }),
  fc.record({
    do: fc.constant("advance" as const),
    who: fc.nat({ max: 3 }),
    ms: fc.constantFrom(100, 4000, 11_000),
  }),
  fc.record({ do: fc.constant("rebalance" as const) }),
  fc.record({ do: fc.constant("evict" as const) }),
);

/** A client that does what the broker tells it, as long as it takes steps. */
class ModelMember {
  memberId = "";
  generation = -1;
  /** True while it waits for an answer. It asks nothing else meanwhile. */
  isBusy = false;
  readonly #group: Group;
  readonly #owners: Map<string, string>;

  constructor(group: Group, owners: Map<string, string>) {
    this.#group = group;
    this.#owners = owners;
  }

  async join(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    const joined = await this.#group.join({
      memberId: this.memberId,
      instanceId: null,
      clientId: "c",
      clientHost: "/127.0.0.1",
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 30_000,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: Buffer.from("m") }],
      requireMemberId: true,
      canSkipAssignment: true,
    });
    this.isBusy = false;
    this.memberId = joined.error === "UNKNOWN_MEMBER_ID" ? "" : joined.memberId;
    this.generation = joined.generation;
    if (joined.error === "NONE") await this.#sync(joined);
  }

  /** Sends a heartbeat. Returns false when the member has to join. */
  beat(): boolean {
    if (this.isBusy) return true;
    if (this.memberId === "" || this.generation === -1) return false;
    const error = this.#group.heartbeat(this.memberId, null, this.generation);
    if (error === "UNKNOWN_MEMBER_ID") this.memberId = "";
    return error === "NONE";
  }

  leave(): void {
    if (this.memberId !== "") this.#group.leave(this.memberId, null);
    this.memberId = "";
    this.generation = -1;
  }

  async #sync(joined: JoinResult): Promise<void> {
    this.isBusy = true;
    const synced = await this.#group.sync({
      memberId: joined.memberId,
      instanceId: null,
      generation: joined.generation,
      protocolType: null,
      protocolName: null,
      assignments: shares(joined),
    });
    this.isBusy = false;
    if (synced.error === "NONE") this.#own(synced, joined);
  }

  /** Checks the invariant: within one generation, a partition was never assigned to two members. */
  #own({ assignment }: SyncResult, { generation, memberId }: JoinResult): void {
    for (const partition of String(assignment)
      .split(",")
      .filter((text) => text !== "")) {
      const owned = `${generation}/${partition}`;
      const owner = this.#owners.get(owned) ?? memberId;
      if (owner !== memberId) throw new Error(`${owned} belongs to ${owner} and ${memberId}`);
      this.#owners.set(owned, memberId);
    }
  }
}

/** Does the leader's work: assigns the partitions to the members in turn. */
function shares({ members }: JoinResult): SyncRequest["assignments"] {
  const dealt = Array.from({ length: PARTITIONS }, (_, partition) => {
    return [members[partition % members.length]?.memberId ?? "", partition] as const;
  });
  return members.map(({ memberId }) => {
    const own = dealt.flatMap(([owner, partition]) => (owner === memberId ? [partition] : []));
    return { memberId, assignment: Buffer.from(own.join(",")) };
  });
}

test("whatever members do, each partition has one owner in a generation, and the group becomes stable", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const timers = new VirtualTimers();
      const group = new Group("g", timers, 0);
      const owners = new Map<string, string>();
      const members = Array.from({ length: 4 }, () => new ModelMember(group, owners));
      const work: Promise<void>[] = [];
      let generation = 0;
      for (const next of steps) {
        if (next.do === "wait") timers.advance(next.ms);
        else if (next.do === "rebalance") group.rebalance();
        else if (next.do === "evict") group.evict();
        else if (next.do === "advance") {
          group.advanceSession(members[next.who]?.memberId ?? "", next.ms);
        } else if (next.do === "join") work.push(members[next.who]?.join() ?? Promise.resolve());
        else members[next.who]?.[next.do]();
        await runMicrotasks();
        expect(group.generation).toBeGreaterThanOrEqual(generation);
        ({ generation } = group);
      }
      // This part checks liveness: members that do as they are told end up in a stable group, with
      // every partition owned.
      for (let round = 0; round < 20; round += 1) {
        for (const member of members.slice(0, 2)) if (!member.beat()) work.push(member.join());
        timers.advance(5000);
        await runMicrotasks();
      }
      expect(group.state).toBe("Stable");
      group.close("COORDINATOR_NOT_AVAILABLE");
      await Promise.all(work);
      const last = [...owners.keys()].map((owned) => Number(owned.split("/")[0]));
      const final = Math.max(...last);
      expect(last.filter((owned) => owned === final)).toHaveLength(PARTITIONS);
      expect(timers.pending).toBe(0);
    }),
    { numRuns: 150 },
  );
});

/** Lets the promises that have been resolved so far run their callbacks. */
async function runMicrotasks(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
}
