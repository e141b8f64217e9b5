import type { V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import { z } from "zod";
import { durationsOf } from "#e2e/base/durations.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { FaultContext, FaultKind } from "#e2e/chaos/fault-kind.ts";
import type { ScheduleStep } from "#e2e/chaos/schedule.ts";
import type { ReachedTrigger, TriggerContext, TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { PlayOptions } from "./play-options.ts";
import { StepPlayer } from "./step-player.ts";

/**
 * Returns a deployment of two pods, a trigger that is reached by hand, and a fault, which all note
 * what is done to them.
 */
function aSchedule(steps: readonly Partial<ScheduleStep>[], change: Partial<FakeFault> = {}) {
  const notes: string[] = [];
  const triggers = new FakeTriggers(notes);
  const fault: FakeFault = {
    lasting: false,
    scope: "pod",
    inject: async () => {},
    fired: () => "exit code 137",
    ...change,
  };
  const controller = new AbortController();
  const pods = [aPod("one"), aPod("two")];
  const options: PlayOptions = {
    schedule: {
      version: 1,
      seed: 1,
      replicas: 2,
      partitions: 4,
      load: {
        incidentsPerSecond: 1,
        recordsMax: 1,
        repeatShare: 0,
        reopenShare: 0,
        poisonShare: 0,
        idempotentShare: 0,
      },
      steps: steps.map((step) => ({ when: { trigger: "hand" }, do: { fault: "fake" }, ...step })),
    },
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the fake kinds do not look at it
    deployment: {} as TestDeployment,
    triggers: new Map([["hand", triggers.kind]]),
    faults: new Map([["fake", faultOf(fault, notes)]]),
    roles: {
      pods: async () => pods,
      members: async () => [
        { memberId: "m", clientId: "two", partitions: [{ topic: "incidents", partition: 0 }] },
      ],
      topic: "incidents",
    },
    endOf: () => undefined,
    fireMsMax: 100,
    triggerMsMax: 50,
    holdMsMax: 50,
    durations: durationsOf(false, "local"),
    recordEvent: () => {},
    record: ({ what, step }) => notes.push(`${step}: ${what}`),
    onChange: () => {},
    signal: controller.signal,
  };
  return { notes, triggers, controller, pods, options, player: new StepPlayer(options) };
}

interface FakeFault {
  readonly lasting: boolean;
  readonly scope: FaultKind["scope"];
  readonly inject: (context: FaultContext) => Promise<void>;
  readonly fired: () => string | undefined;
}

function aPod(name: string, state: object = { running: {} }): V1Pod {
  return {
    metadata: { name },
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what roles look at
    status: { containerStatuses: [{ name: "app", state }] } as unknown as NonNullable<
      V1Pod["status"]
    >,
  };
}

/** Triggers that are reached as soon as they are armed, unless `reaches` says otherwise. */
class FakeTriggers {
  readonly kind: TriggerKind;
  reaches: (context: TriggerContext) => Promise<string | null> = async () => "one";
  armed = 0;
  readonly left = new Set<number>();

  constructor(notes: string[]) {
    this.kind = {
      name: "hand",
      title: "Fake.",
      holds: true,
      needs: [],
      requires: [],
      parameters: z.strictObject({}),
      draw: () => ({}),
      arm: async (context) => {
        this.armed += 1;
        const number = this.armed;
        this.left.add(number);
        const release = async (): Promise<void> => {
          if (this.left.delete(number)) notes.push(`${number}: released`);
        };
        return {
          reached: this.#reach(context),
          release,
          [Symbol.asyncDispose]: release,
        };
      },
    };
  }

  async #reach(context: TriggerContext): Promise<ReachedTrigger> {
    return { atMs: 1, pod: await this.reaches(context), detail: "there" };
  }
}

function faultOf({ lasting, scope, inject, fired }: FakeFault, notes: string[]): FaultKind {
  let injected = 0;
  return {
    name: "fake",
    title: "Fake.",
    scope,
    lasting,
    needs: [],
    causes: [],
    parameters: z.strictObject({ size: z.number().optional() }),
    draw: () => ({}),
    inject: async (context) => {
      injected += 1;
      const number = injected;
      notes.push(`fault ${number} in ${context.pod}`);
      await inject(context);
      const heal = async (): Promise<void> => void notes.push(`fault ${number} gone`);
      return { fired: async () => fired(), heal, [Symbol.asyncDispose]: heal };
    },
  };
}

const never = Promise.withResolvers<never>().promise;

test("arms the next trigger while the pod is held, injects, and only then lets it go", async () => {
  const { player, notes } = aSchedule([{}, {}]);
  await player.play();
  expect(notes).toEqual([
    "1: armed",
    "1: reached",
    "2: armed",
    "fault 1 in one",
    "1: injected",
    "1: released",
    "1: fired",
    "2: reached",
    "fault 2 in one",
    "2: injected",
    "2: released",
    "2: fired",
  ]);
  expect(player.steps.map(({ outcome, pod, held }) => [outcome, pod, held])).toEqual([
    ["fired", "one", true],
    ["fired", "one", true],
  ]);
});

test("a near moment affects the pod at which it was seen, and holds nothing", async () => {
  const { triggers, options } = aSchedule([{}, { do: { fault: "fake", pod: "held" } }]);
  const near = new Map([["hand", { ...triggers.kind, holds: false }]]);
  // The owner is the other pod.
  triggers.reaches = async () => "one";
  await using player = new StepPlayer({ ...options, triggers: near });
  await player.play();
  expect(player.steps.map(({ pod, held, selector }) => [pod, held, selector])).toEqual([
    ["one", false, "held"],
    ["one", false, "held"],
  ]);
});

test("a trigger that does not come is said, its fault is not injected, and the schedule goes on", async () => {
  const { player, notes, triggers } = aSchedule([{}, {}]);
  triggers.reaches = async () => await (triggers.armed === 1 ? never : "two");
  await player.play();
  expect(player.steps.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ["missed", "it did not come within 50 ms"],
    ["fired", null],
  ]);
  expect(notes).toContain("1: missed");
  expect(notes.filter((note) => note.startsWith("fault"))).toEqual(["fault 1 in two"]);
  expect(triggers.left.size).toBe(0);
});

test("a step has a budget of its own", async () => {
  const { player, triggers } = aSchedule([{ when: { trigger: "hand", budgetMs: 1 } }]);
  triggers.reaches = () => never;
  await player.play();
  expect(player.steps[0]?.reason).toBe("it did not come within 1 ms");
});

test("a moment of a pod that is gone is not awaited", async () => {
  const { player, pods, triggers } = aSchedule([
    { when: { trigger: "hand", pod: "newest", budgetMs: 600_000 } },
  ]);
  triggers.reaches = async ({ pod }) => {
    expect(pod).toBe("two");
    pods.pop();
    return await never;
  };
  await player.play();
  expect(player.steps[0]).toMatchObject({ outcome: "missed", reason: "pod two is gone" });
});

test("roles choose the pod: the owner by its client id, where no pod is held", async () => {
  const { player, triggers, notes } = aSchedule([
    {},
    { do: { fault: "fake", pod: "other" } },
    { do: { fault: "fake", pod: { nth: 3 } } },
  ]);
  triggers.reaches = async () => null;
  await player.play();
  expect(notes.filter((note) => note.startsWith("fault"))).toEqual([
    "fault 1 in two",
    "fault 2 in one",
  ]);
  expect(player.steps[2]).toMatchObject({ outcome: "missed", reason: 'no pod is {"nth":3}' });
});

test("a pod whose app waits to be started again has no role", async () => {
  const { player, pods, triggers, notes } = aSchedule([{}]);
  triggers.reaches = async () => null;
  pods[1] = aPod("two", { waiting: { reason: "CrashLoopBackOff" } });
  await player.play();
  expect(notes).toContain("fault 1 in one");
});

test("a lasting fault is healed in time, and the others at the end, the last one first", async () => {
  const { player, notes } = aSchedule([{}, {}, { until: { elapsedMs: 1 } }], { lasting: true });
  await player.play();
  // The last step, too, keeps its fault for the time that it gives.
  expect(notes).toContain("3: healed");
  expect(notes).not.toContain("1: healed");
  const inForce = (): readonly boolean[] => player.steps.map((step) => step.inForce);
  expect(inForce()).toEqual([true, true, false]);
  await player.heal();
  expect(inForce()).toEqual([false, false, false]);
  expect(notes.filter((note) => /gone|healed/.test(note))).toEqual([
    "fault 3 gone",
    "3: healed",
    "fault 2 gone",
    "2: healed",
    "fault 1 gone",
    "1: healed",
  ]);
});

test("a fault that does not last is in force while it is injected, and not when that failed", async () => {
  const seen: (readonly [number, boolean])[] = [];
  const { options } = aSchedule([{}, {}], {
    inject: async () => {
      seen.push([1, player.steps[0]!.inForce], [2, player.steps[1]!.inForce]);
      if (player.steps[1]!.inForce) throw new FaultImpossibleError("no node is left");
    },
  });
  const player = new StepPlayer(options);
  await player.play();
  expect(seen).toEqual([
    [1, true],
    [2, false],
    [1, false],
    [2, true],
  ]);
  expect(player.steps.map(({ outcome, inForce }) => [outcome, inForce])).toEqual([
    ["fired", false],
    ["missed", false],
  ]);
});

test("a fault that never fires is distinguished from one whose pod had ended", async () => {
  const silent = aSchedule([{}], { fired: () => undefined });
  await silent.player.play();
  await silent.player.heal();
  await silent.player.conclude();
  expect(silent.player.steps[0]).toMatchObject({
    outcome: "never-fired",
    reason: "nothing shows that it had an effect",
  });

  const ended = aSchedule([{}], { fired: () => undefined });
  const player = new StepPlayer({ ...ended.options, endOf: () => "exit" });
  await player.play();
  await player.conclude();
  expect(player.steps[0]).toMatchObject({
    outcome: "missed",
    reason: "pod one ended before it could fire: exit",
  });
});

test("a fault that fires late is asked again", async () => {
  let proof: string | undefined;
  const { player } = aSchedule([{}], { lasting: true, fired: () => proof });
  await player.play();
  expect(player.steps[0]?.outcome).toBe("open");
  await player.heal();
  proof = "2 requests refused";
  await player.conclude();
  expect(player.steps[0]).toMatchObject({ outcome: "fired", fired: "2 requests refused" });
});

test("an injection that needs the held pod gets it back", async () => {
  const needed = Promise.withResolvers<void>();
  const { player, notes } = aSchedule([{}], { inject: () => needed.promise });
  const playing = player.play();
  await expect.poll(() => notes).toContain("1: released");
  expect(notes).not.toContain("1: injected");
  needed.resolve();
  await playing;
  expect(player.steps[0]?.outcome).toBe("fired");
});

test("an injection into a pod that has ended is missed; any other failure ends the schedule", async () => {
  const running = aSchedule([{}], { inject: failInjection });
  await expect(running.player.play()).rejects.toThrow("container app is not running");
  const ended = aSchedule([{}], { inject: failInjection });
  ended.pods.shift();
  await ended.player.play();
  expect(ended.player.steps[0]).toMatchObject({
    outcome: "missed",
    reason: "pod one ended first: container app is not running",
  });
});

test("an abort in the middle leaves nothing armed and nothing broken", async () => {
  const { player, notes, triggers, controller } = aSchedule([{}, {}], { lasting: true });
  triggers.reaches = async () => await (triggers.armed === 1 ? "one" : never);
  const playing = player.play();
  await expect.poll(() => notes).toContain("1: injected");
  controller.abort(new Error("interrupted"));
  await expect(playing).rejects.toThrow("interrupted");
  await player[Symbol.asyncDispose]();
  expect(notes).toContain("fault 1 gone");
  expect(triggers.left.size).toBe(0);
  expect(player.steps.map(({ outcome }) => outcome)).toEqual(["fired", "open"]);
});

test("what an injection makes after the abort does not stay", async () => {
  const late = Promise.withResolvers<void>();
  const { player, notes, controller } = aSchedule([{}], {
    lasting: true,
    inject: () => late.promise,
  });
  const playing = player.play();
  await expect.poll(() => notes).toContain("fault 1 in one");
  controller.abort(new Error("interrupted"));
  await expect(playing).rejects.toThrow("interrupted");
  const disposing = player[Symbol.asyncDispose]();
  late.resolve();
  await disposing;
  expect(notes).toContain("fault 1 gone");
});

test("a parameter that the kind does not have ends the schedule", async () => {
  const { player } = aSchedule([{ do: { fault: "fake", sizes: 3 } }]);
  await expect(player.play()).rejects.toThrow("sizes");
});

async function failInjection(): Promise<void> {
  throw new Error("container app is not running");
}

test("a fault that an earlier one made impossible is missed, with the reason", async () => {
  const { player } = aSchedule([{}], { inject: findImpossible });
  await player.play();
  expect(player.steps[0]).toMatchObject({
    outcome: "missed",
    reason: "no living node can lead partition 3",
  });
});

async function findImpossible(): Promise<void> {
  throw new FaultImpossibleError("no living node can lead partition 3");
}
