import type { V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import type { GroupMember } from "#e2e/brokers/broker.ts";
import type { PodState } from "./pod-state.ts";
import { PodWatch } from "./pod-watch.ts";

type State = NonNullable<V1ContainerStatus["state"]>;

const RUNNING: State = { running: { startedAt: new Date(1000) } };
const ENDED: State = { terminated: { exitCode: 137 } };

function aPod(
  name: string,
  change: {
    readonly state?: State;
    readonly last?: State;
    readonly ready?: boolean;
    readonly terminating?: boolean;
    readonly restarts?: number;
  } = {},
): V1Pod {
  const { state = RUNNING, last, ready = false, terminating = false, restarts = 0 } = change;
  const app = {
    name: "app",
    image: "app",
    imageID: "app",
    ready,
    restartCount: restarts,
    state,
    ...(last !== undefined && { lastState: last }),
  };
  return {
    metadata: { name, ...(terminating && { deletionTimestamp: new Date(2000) }) },
    status: {
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [app],
    },
  };
}

/** Pods, logs and members that a test sets. A log or members that are not set cannot be read. */
class FakeSource {
  present: readonly V1Pod[] = [];
  last: V1Pod | undefined;
  readonly logs = new Map<string, string>();
  assigned: readonly GroupMember[] | null = null;
  asked = 0;
  readonly topic = "incidents";
  #nowMs = 0;
  readonly watch = new PodWatch(this);

  pods = async (): Promise<readonly V1Pod[]> => this.present;
  lastSeen = (): V1Pod | undefined => this.last;
  log = async (pod: string): Promise<string> => {
    const text = this.logs.get(pod);
    if (text === undefined) throw new Error("it has no log");
    return text;
  };
  members = async (): Promise<readonly GroupMember[]> => {
    this.asked += 1;
    if (this.assigned === null) throw new Error("the broker is away");
    return this.assigned;
  };

  /** Returns the states a second later, when everything has been read. */
  async seen(...pods: readonly V1Pod[]): Promise<readonly PodState[]> {
    this.present = pods;
    // The first look finds the pods, the second one reads what they have.
    for (const waitMs of [1000, 1000]) await this.watch.look((this.#nowMs += waitMs));
    return this.watch.states;
  }

  async phase(pod: V1Pod): Promise<string> {
    const [state] = await this.seen(pod);
    return state!.phase;
  }
}

describe("the phase of a pod", () => {
  test("goes from scheduled over the certificates to ready, and unready is not starting", async () => {
    const source = new FakeSource();
    expect(await source.phase(aPod("one", { state: { waiting: {} } }))).toBe("scheduled");
    expect(await source.phase(aPod("one"))).toBe("starting");
    source.logs.set("one", "app_start: waiting up to 300 s for /cert and /key\n");
    expect(await source.phase(aPod("one"))).toBe("waiting for certificates");
    source.logs.set("one", 'app_start: waiting up to 300 s\n{"event":"process.started"}\n');
    expect(await source.phase(aPod("one"))).toBe("starting");
    expect(await source.phase(aPod("one", { ready: true }))).toBe("ready");
    expect(await source.phase(aPod("one"))).toBe("unready");
    expect(await source.phase(aPod("one", { restarts: 1 }))).toBe("starting");
  });

  test("of one that is deleted is draining, then stopped, and gone with its exit code for a while", async () => {
    const source = new FakeSource();
    await source.seen(aPod("one", { ready: true }));
    expect(await source.phase(aPod("one", { terminating: true, ready: true }))).toBe("draining");
    source.last = aPod("one", { terminating: true, state: ENDED });
    expect(await source.phase(source.last)).toBe("stopped");
    const two = aPod("two", { ready: true });
    expect(await source.seen(two)).toMatchObject([
      { name: "two", phase: "ready" },
      { name: "one", phase: "gone", exitCode: 137 },
    ]);
    await source.seen(two);
    expect(await source.seen(two)).toMatchObject([{ name: "two" }]);
  });

  test("that was never seen to end has the exit code that the target saw", async () => {
    const source = new FakeSource();
    await source.seen(aPod("one", { ready: true }));
    source.last = aPod("one", { state: ENDED });
    expect(await source.seen()).toMatchObject([{ phase: "gone", exitCode: 137 }]);
  });

  test.each([
    ["has ended", ENDED, undefined],
    ["waits for its next run", { waiting: { reason: "CrashLoopBackOff" } }, ENDED],
  ])("whose app %s is restarting, with its exit code", async (_name, state, last) => {
    const source = new FakeSource();
    const pod = aPod("one", { state, restarts: 1, ...(last !== undefined && { last }) });
    expect(await source.seen(pod)).toMatchObject([
      { phase: "restarting", restarts: 1, exitCode: 137, startedAtMs: null },
    ]);
  });
});

const member = (clientId: string, topic: string, ...partitions: number[]): GroupMember => ({
  memberId: clientId,
  clientId,
  partitions: partitions.map((partition) => ({ topic, partition })),
});

describe("what a pod owns", () => {
  test("is what its member was given of the topic of incidents", async () => {
    const source = new FakeSource();
    source.assigned = [member("one", "incidents", 2, 0), member("two", "dead", 1)];
    const [one, two] = await source.seen(aPod("one"), aPod("two"));
    expect([one!.partitions, two!.partitions]).toEqual([[0, 2], []]);
  });

  test("is nothing while the broker is away, and is asked for once a second", async () => {
    const source = new FakeSource();
    expect(await source.seen(aPod("one"))).toMatchObject([{ partitions: [] }]);
    const { asked } = source;
    for (let nowMs = 10_000; nowMs < 11_000; nowMs += 100) await source.watch.look(nowMs);
    expect(source.asked - asked).toBe(1);
  });
});
