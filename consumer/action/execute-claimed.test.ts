import { expect, test } from "vitest";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import type { SendResult } from "#consumer/ports.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const PLANNED = plannedAction();

test("the claim of a pod that died is waited for, then in doubt, and never sent again", async () => {
  const hung = Promise.withResolvers<SendResult>();
  const { clock, sender, deadLetterReasons, start, file } = createExecutionTestBed(
    () => hung.promise,
  );
  await using dead = await start("a");
  const never = dead.execute(PLANNED);
  await clock.advance(0);
  expect(sender.sends).toHaveLength(1);

  await using pod = await start("b");
  const work = pod.execute(PLANNED);
  await clock.advance(79_000);
  expect(() => file("outcome")).toThrow("ENOENT");
  const result = await clock.runUntil(work);
  expect(result).toMatchObject({ outcome: "in-doubt", attempt: 1, endedBefore: false });
  expect(file("outcome")).toMatchObject({ outcome: "in-doubt", reason: "orphaned", pod: "b" });
  expect(sender.sends).toHaveLength(1);
  expect(deadLetterReasons()).toEqual(["in-doubt"]);

  // The owner was slow, not dead: its late result goes to the journal and resolves the dead letter.
  hung.resolve(DONE);
  expect(await clock.runUntil(never)).toMatchObject({ outcome: "in-doubt" });
  expect(dead.history.lookup(PLANNED.key)).toMatchObject({ outcome: "done", pod: "a" });
  expect(file("outcome")).toMatchObject({ outcome: "in-doubt" });
  expect(sender.sends).toHaveLength(1);
});

test("the outcome of a slow owner ends the wait", async () => {
  const hung = Promise.withResolvers<SendResult>();
  const { clock, sender, deadLetterReasons, start } = createExecutionTestBed(() => hung.promise);
  await using slow = await start("a");
  const first = slow.execute(PLANNED);
  await clock.advance(0);
  await using pod = await start("b");
  const second = pod.execute(PLANNED);
  await clock.advance(20_000);
  hung.resolve(DONE);
  const startMs = clock.monotonicMs();
  expect(await clock.runUntil(second)).toMatchObject({ outcome: "done" });
  expect(clock.monotonicMs() - startMs).toBeLessThan(1000);
  await clock.runUntil(first);
  expect(sender.sends).toHaveLength(1);
  expect(deadLetterReasons()).toEqual([]);
});

test("an owner that slept past the wait follows the in-doubt instead of sending", async () => {
  const gate = Promise.withResolvers<void>();
  const { clock, sender, start, file } = createExecutionTestBed(DONE);
  await using slow = await start("a", {
    async intercept({ operation, path, phase }) {
      if (operation === "link" && path === plannedPath("claim") && phase === "after") {
        await gate.promise;
      }
    },
  });
  const first = slow.execute(PLANNED);
  await clock.advance(0);
  await using pod = await start("b");
  await clock.runUntil(pod.execute(PLANNED));
  gate.resolve();
  expect(await clock.runUntil(first)).toMatchObject({ outcome: "in-doubt" });
  expect(file("outcome")).toMatchObject({ pod: "b", reason: "orphaned" });
  expect(sender.sends).toEqual([]);
});

test("an owner that slept less than its deadline looks for an outcome before it sends", async () => {
  const gate = Promise.withResolvers<void>();
  const { clock, sender, start } = createExecutionTestBed(DONE);
  await using slow = await start("a", {
    async intercept({ operation, path, phase }) {
      if (operation === "link" && path === plannedPath("claim") && phase === "after") {
        await gate.promise;
      }
    },
  });
  const first = slow.execute(PLANNED);
  await clock.advance(0);
  await using pod = await start("b", { settings: { orphanWaitMs: 10_000 } });
  await clock.runUntil(pod.execute(PLANNED));
  expect(clock.monotonicMs()).toBeLessThan(PLANNED.deadlineMs);
  gate.resolve();
  expect(await clock.runUntil(first)).toMatchObject({ outcome: "in-doubt" });
  expect(sender.sends).toEqual([]);
});

test("a claim that went with the power while it was waited for is in doubt, with its dead letter", async () => {
  const { volume, clock, deadLetterReasons, start } = createExecutionTestBed(
    () => new Promise(() => undefined),
  );
  const dead = await start("a");
  void dead.execute(PLANNED);
  await clock.advance(0);
  await using pod = await start("b");
  const work = pod.execute(PLANNED);
  await clock.advance(1000);
  await volume.mount().unlink(plannedPath("claim"));
  expect(await clock.runUntil(work)).toMatchObject({ outcome: "in-doubt", attempt: 1 });
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
});

test("two runs of one process that claim at the same moment send once", async () => {
  const { clock, sender, start } = createExecutionTestBed(DONE);
  await using pod = await start("a");
  const work = Promise.all([pod.execute(PLANNED), pod.execute(PLANNED)]);
  const ends = await clock.runUntil(work);
  expect(ends.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
  expect(pod.metrics.total("claims", { result: "taken" })).toBe(1);
  expect(sender.sends).toHaveLength(1);
});

test("a wait ends at once when the process stops, and the action is not finished", async () => {
  const { clock, start, file, deadLetterReasons } = createExecutionTestBed(
    () => new Promise(() => undefined),
  );
  const dead = await start("a");
  void dead.execute(PLANNED);
  await clock.advance(0);
  await using pod = await start("b");
  const work = pod.execute(PLANNED).catch((error: unknown) => error);
  await clock.advance(1000);
  pod.stop();
  expect(await work).toMatchObject({ code: "stopping" });
  expect(() => file("outcome")).toThrow("ENOENT");
  expect(deadLetterReasons()).toEqual([]);
});

test.each(["stop", "revoke"] as const)(
  "a %s while the horizon is unknown leaves no claim in doubt: nothing was sent",
  async (end) => {
    const { clock, file, start, sender, volume } = createExecutionTestBed(DONE);
    await using pod = await start("a", {
      async intercept({ operation, path, phase }) {
        if (operation !== "link" || path !== plannedPath("claim") || phase !== "after") return;
        for (const name of volume.paths()) {
          if (name.startsWith("control/horizon/")) volume.put(name, "");
        }
        await clock.sleep(11_000);
      },
    });
    const work = pod.execute(PLANNED).catch((error: unknown) => error);
    await clock.advance(20_000);
    expect(pod.history.state).toMatchObject({ ready: false });
    pod[end]();
    const code = end === "stop" ? "stopping" : "assignment-lost";
    expect(await clock.runUntil(work)).toMatchObject({ code });
    expect(file("outcome")).toMatchObject({ outcome: "failed-not-applied", reason: "revoked" });
    expect(sender.sends).toEqual([]);
  },
);
