import { expect, test } from "vitest";
import { createExecutionTestBed, plannedAction } from "#fixtures/consumer/execution.ts";
import type { ExecutingPod } from "#fixtures/consumer/execution.ts";
import type { SendResult } from "#consumer/ports.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const NOT_APPLIED: SendResult = { outcome: "failed-not-applied", detail: "503" };
const PLANNED = plannedAction();
const NONCE = expect.stringMatching(/^[0-9a-f]{32}$/);
const BEGUN = {
  key: PLANNED.key,
  attempt: 1,
  nonce: NONCE,
  rule: "restart-web",
  action: "open-ticket",
  incident: "incident-1",
};

/** The lines about attempts, each with its level. */
function lines({ log }: ExecutingPod): unknown[] {
  return log.lines.filter(({ event }) => event.startsWith("action."));
}

const eventsOf = (pod: ExecutingPod): string[] =>
  pod.log.events().filter((event) => event.startsWith("action."));

test("each attempt says that it is claimed, and that it is sent, with its nonce", async () => {
  const { clock, start, file } = createExecutionTestBed(NOT_APPLIED, DONE);
  await using pod = await start("a");
  await clock.runUntil(pod.execute(PLANNED));
  const first = { ...BEGUN, nonce: file("claim", 1).nonce };
  const second = { ...BEGUN, attempt: 2, nonce: file("claim", 2).nonce };
  expect(first.nonce).not.toBe(second.nonce);
  expect(lines(pod)).toEqual([
    { level: "info", event: "action.claimed", fields: first },
    { level: "info", event: "action.sending", fields: first },
    { level: "info", event: "action.ended", fields: expect.objectContaining({ attempt: 1 }) },
    { level: "info", event: "action.claimed", fields: second },
    { level: "info", event: "action.sending", fields: second },
    { level: "info", event: "action.ended", fields: expect.objectContaining({ attempt: 2 }) },
  ]);
});

test("the line stands before the request is sent", async () => {
  const before: string[][] = [];
  const pods: ExecutingPod[] = [];
  const { clock, start } = createExecutionTestBed(() => {
    before.push(...pods.map(eventsOf));
    return DONE;
  });
  await using pod = await start("a");
  pods.push(pod);
  await clock.runUntil(pod.execute(PLANNED));
  expect(before).toEqual([["action.claimed", "action.sending"]]);
});

test.each([
  { name: "a dry run", planned: { ...PLANNED, dryRun: true } },
  { name: "an action for a person", planned: { ...PLANNED, manual: true } },
  {
    name: "an action whose template cannot be filled",
    planned: {
      ...PLANNED,
      rejection: {
        reason: "rejected" as const,
        place: "rule restart-web, action open-ticket, url",
        rule: "template" as const,
        value: "",
        detail: "no tag host",
      },
    },
  },
])("$name is claimed and not sent", async ({ planned }) => {
  const { clock, start, sender } = createExecutionTestBed(DONE);
  await using pod = await start("a");
  await clock.runUntil(pod.execute(planned));
  expect(sender.sends).toEqual([]);
  expect(lines(pod).slice(0, 1)).toEqual([
    { level: "info", event: "action.claimed", fields: BEGUN },
  ]);
  expect(eventsOf(pod)).toEqual(["action.claimed", "action.ended"]);
});

test("an action over its limit is claimed and not sent", async () => {
  const { clock, start, sender } = createExecutionTestBed(DONE);
  await using pod = await start("a");
  const limits = { runsPerHourMax: 1 };
  const incident = { ...PLANNED.incident, id: "incident-0" };
  await clock.runUntil(pod.execute({ ...PLANNED, key: "0".repeat(64), incident, limits }));
  await clock.runUntil(pod.execute({ ...PLANNED, limits }));
  expect(sender.sends).toHaveLength(1);
  expect(eventsOf(pod).slice(3)).toEqual(["action.claimed", "action.ended"]);
});

test("whoever finds the claim or the end of another pod says neither", async () => {
  const { clock, start } = createExecutionTestBed(() => new Promise<SendResult>(() => undefined));
  await using owner = await start("a");
  void owner.execute(PLANNED).catch(() => undefined);
  await clock.advance(1000);
  await using other = await start("b");
  await clock.runUntil(other.execute(PLANNED));
  await using late = await start("c");
  await clock.runUntil(late.execute(PLANNED));
  expect(eventsOf(owner)).toEqual(["action.claimed", "action.sending"]);
  expect(eventsOf(other)).toEqual(["action.waiting", "action.ended"]);
  expect(eventsOf(late)).toEqual([]);
});

test("whoever comes second to the name of a claim says neither", async () => {
  const { clock, start } = createExecutionTestBed(DONE);
  await using owner = await start("a");
  await using other = await start("b", {
    intercept: async ({ operation, path, phase }) => {
      const isClaim = operation === "link" && path.endsWith(".claim");
      if (isClaim && phase === "before") await owner.execute(PLANNED);
    },
  });
  const result = await clock.runUntil(other.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", attempt: 1 });
  expect(other.metrics.total("claims", { result: "taken" })).toBe(1);
  expect(eventsOf(other)).toEqual(["action.waiting"]);
});

test("what was revoked behind its claim was not sent", async () => {
  const pods: ExecutingPod[] = [];
  const { clock, start, sender } = createExecutionTestBed(DONE);
  await using pod = await start("a", {
    intercept: ({ operation, path }) => {
      if (operation === "link" && path.endsWith(".claim")) pods[0]?.revoke();
    },
  });
  pods.push(pod);
  await clock.runUntil(pod.execute(PLANNED).catch(() => undefined));
  expect(sender.sends).toEqual([]);
  expect(eventsOf(pod)).toEqual(["action.claimed", "action.ended"]);
});

test("every attempt of a key has one trace, and a parent of its own from the nonce of its claim", async () => {
  const { clock, start, sender, file } = createExecutionTestBed(NOT_APPLIED, DONE);
  await using pod = await start("a");
  await clock.runUntil(pod.execute(PLANNED));
  const trace = PLANNED.key.slice(0, 32);
  expect(sender.sends.map((send) => send.traceparent)).toEqual([
    `00-${trace}-${String(file("claim", 1).nonce).slice(0, 16)}-01`,
    `00-${trace}-${String(file("claim", 2).nonce).slice(0, 16)}-01`,
  ]);
});
