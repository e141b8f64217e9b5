import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import type { SendResult } from "#consumer/ports.ts";
import { attemptPath } from "#consumer/history/base/layout.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const IN_DOUBT: SendResult = { outcome: "in-doubt", detail: "500" };
const PLANNED = plannedAction();
const { key: KEY } = PLANNED;

/** A claim as another run may have left it. */
const CLAIM = {
  format: 1,
  key: KEY,
  attempt: 1,
  nonce: "0".repeat(32),
  pod: "gone",
  rule: PLANNED.rule,
  action: PLANNED.action,
  incidentId: PLANNED.incident.id,
  transition: PLANNED.incident.transition,
  startedOnMs: PLANNED.incident.startedOnMs,
  topic: "incidents",
  partition: 3,
  offset: "42",
  claimedAtMs: 1,
};
const OUTCOME = {
  format: 1,
  key: KEY,
  attempt: 1,
  nonce: CLAIM.nonce,
  pod: "gone",
  outcome: "done",
  reason: "sent",
  detail: "200",
  atMs: 2,
};

/** The contents that storage damage or a person may leave in the place of a file. */
function damages(whole: object): [string, string | Uint8Array][] {
  const text = JSON.stringify(whole);
  const other = createHash("sha256").update("another").digest("hex");
  return [
    ["nothing", ""],
    ["white space", " \n"],
    ["zeros", new Uint8Array(4096)],
    ["half of it", text.slice(0, text.length / 2)],
    ["bytes that are no text", new Uint8Array([0xff, 0xfe, 0x00])],
    ["a byte order mark in front", `\uFEFF\uFEFF${text}`],
    ["null", "null"],
    ["a list", "[]"],
    ["an empty object", "{}"],
    ["a format and nothing else", '{"format":1}'],
    ["a format that is no number", JSON.stringify({ ...whole, format: "1" })],
    ["a negative format", JSON.stringify({ ...whole, format: -1 })],
    ["a field of another type", JSON.stringify({ ...whole, attempt: "1" })],
    ["another key's file", JSON.stringify({ ...whole, key: other })],
    ["another attempt's file", JSON.stringify({ ...whole, attempt: 2 })],
  ];
}

function put(
  { volume }: ReturnType<typeof createExecutionTestBed>,
  path: string,
  content: string | Uint8Array,
) {
  if (content === "a directory") volume.put(`${path}/inside`, "");
  else volume.put(path, content);
}

// ----------------------------------------------------------------------------------------------- claims

test.each([...damages(CLAIM), ["a directory", "a directory"]])(
  "a claim that holds %s is somebody's: nobody acts, and after the wait it is in doubt, once",
  async (_, content) => {
    const testBed = createExecutionTestBed(DONE);
    const { clock, sender, start, deadLetterReasons, file } = testBed;
    put(testBed, plannedPath("claim"), content ?? "");
    await using pod = await start("a");
    const work = pod.execute(PLANNED);
    await clock.advance(79_000);
    expect(pod.history.state).toEqual({ ready: true });
    expect(deadLetterReasons()).toEqual([]);
    expect(await clock.runUntil(work)).toMatchObject({ outcome: "in-doubt", attempt: 1 });
    expect(sender.sends).toEqual([]);
    expect(deadLetterReasons()).toEqual(["in-doubt"]);
    expect(file("outcome")).toMatchObject({
      outcome: "in-doubt",
      reason: "orphaned",
      detail: expect.stringContaining(plannedPath("claim")),
    });
    expect(pod.log.lines).toContainEqual(
      expect.objectContaining({ level: "error", event: "history.attempt.damaged" }),
    );
    expect(pod.metrics.total("storage_errors", { code: "damaged-file" })).toBeGreaterThan(0);

    await using other = await start("b");
    expect(await clock.runUntil(other.execute(PLANNED))).toMatchObject({ endedBefore: true });
    expect(sender.sends).toEqual([]);
    expect(deadLetterReasons()).toEqual(["in-doubt"]);
  },
);

test("the outcome of an attempt whose claim was damaged since holds", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, sender, start, deadLetterReasons } = testBed;
  testBed.volume.put(plannedPath("claim"), "");
  testBed.volume.put(plannedPath("outcome"), JSON.stringify(OUTCOME));
  await using pod = await start("a");
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({
    outcome: "done",
    endedBefore: true,
  });
  expect(sender.sends).toEqual([]);
  expect(deadLetterReasons()).toEqual([]);
});

test("an owner that comes back to its damaged claim ends it, and is followed", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, start, volume } = testBed;
  volume.put(plannedPath("claim"), "");
  await using pod = await start("a");
  const work = pod.execute(PLANNED);
  await clock.advance(30_000);
  volume.put(plannedPath("outcome"), JSON.stringify(OUTCOME));
  expect(await clock.runUntil(work)).toMatchObject({ outcome: "done" });
});

test("after a damaged claim an idempotent action is tried again, and any other is not", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, sender, start, volume } = testBed;
  volume.put(plannedPath("claim"), "");
  await using pod = await start("a");
  const idempotent = { ...PLANNED, idempotent: true };
  expect(await clock.runUntil(pod.execute(idempotent))).toMatchObject({
    outcome: "done",
    attempt: 2,
  });
  expect(sender.sends).toHaveLength(1);
});

test("a budget for retries counts from the end of an attempt whose claim is damaged", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, start, volume } = testBed;
  volume.put(plannedPath("claim"), "");
  await using pod = await start("a", { settings: { retryBudgetMs: 60_000 } });
  const idempotent = { ...PLANNED, idempotent: true };
  expect(await clock.runUntil(pod.execute(idempotent))).toMatchObject({ outcome: "done" });
});

test("a claim that is found damaged when its name is taken is nobody's either", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, sender, start, volume, deadLetterReasons } = testBed;
  await using pod = await start("a", {
    intercept({ operation, path, phase }) {
      if (operation === "link" && path.endsWith(".claim") && phase === "before") {
        volume.put(plannedPath("claim"), "");
      }
    },
  });
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
  expect(sender.sends).toEqual([]);
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
});

// --------------------------------------------------------------------------------------------- outcomes

test.each([...damages(OUTCOME), ["a directory", "a directory"]])(
  "an outcome that holds %s is not believed: nobody acts, and its end is in doubt",
  async (_, content) => {
    const testBed = createExecutionTestBed(DONE);
    const { clock, sender, start, volume, deadLetterReasons } = testBed;
    volume.put(plannedPath("claim"), JSON.stringify(CLAIM));
    put(testBed, plannedPath("outcome"), content ?? "");
    await using pod = await start("a");
    expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({
      outcome: "in-doubt",
      attempt: 1,
      reason: expect.stringContaining(plannedPath("outcome")),
    });
    expect(sender.sends).toEqual([]);
    expect(deadLetterReasons()).toEqual(["in-doubt"]);
    expect(pod.log.lines).toContainEqual(
      expect.objectContaining({ level: "error", event: "history.attempt.damaged" }),
    );
  },
);

test("a claim and an outcome that are both damaged end in doubt", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, sender, start, volume, deadLetterReasons } = testBed;
  volume.put(plannedPath("claim"), "");
  volume.put(plannedPath("outcome"), "");
  await using pod = await start("a");
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
  expect(sender.sends).toEqual([]);
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
});

test("an owner that finds its outcome taken by damage journals what it knows, which needs no letter", async () => {
  const testBed = createExecutionTestBed(() => {
    testBed.volume.put(plannedPath("outcome"), "");
    return DONE;
  });
  const { clock, start, deadLetterReasons } = testBed;
  await using pod = await start("a");
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
  expect(deadLetterReasons()).toEqual([]);
  expect(pod.log.events()).toContain("history.attempt.damaged");
  expect(pod.log.events()).toContain("action.late");
  expect(pod.history.lookup(KEY)).toMatchObject({ outcome: "done" });
});

test("nothing is sent under a claim whose outcome is damaged already", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, sender, start, volume } = testBed;
  volume.put(plannedPath("outcome"), "");
  await using pod = await start("a");
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
  expect(sender.sends).toEqual([]);
});

// ------------------------------------------------------------------------------------------- resolutions

test.each([
  ...damages({
    format: 1,
    key: KEY,
    attempt: 1,
    as: "failed-not-applied",
    by: "eve",
    reason: "x",
    atMs: 1,
  }),
  ["a directory", "a directory"],
])("a resolution that holds %s is nobody's word: what has ended stays so", async (_, content) => {
  const testBed = createExecutionTestBed(IN_DOUBT, DONE);
  const { clock, sender, start, deadLetterReasons } = testBed;
  await using pod = await start("a");
  await clock.runUntil(pod.execute(PLANNED));
  put(testBed, attemptPath(KEY, 1, "resolution"), content ?? "");
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({
    outcome: "in-doubt",
    endedBefore: true,
  });
  expect(sender.sends).toHaveLength(1);
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
  expect(pod.history.state).toEqual({ ready: true });
  expect(pod.log.lines).toContainEqual(
    expect.objectContaining({ level: "error", event: "history.attempt.damaged" }),
  );
});
