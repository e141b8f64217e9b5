import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import type { ManualClock } from "#fixtures/ports/clock.ts";
import { createExecutionTestBed, plannedAction } from "#fixtures/consumer/execution.ts";
import { fakeBroker } from "#fixtures/ports/in-memory-ports.ts";
import type { FakeBroker } from "#fixtures/ports/in-memory-ports.ts";
import { ConsumerError } from "#consumer/errors.ts";
import { rejection } from "#consumer/planning/incident.ts";
import type { Files, OutgoingRecord, SendResult, SourceRecord } from "#consumer/ports.ts";
import { openAudit } from "./audit.ts";
import type { Options } from "./command-line.ts";
import { runHistory } from "./history-command.ts";
import { redrive } from "./redrive.ts";
import type { RedriveSelection } from "./redrive.ts";
import { resolve } from "./resolve-command.ts";
import { readVolume } from "./volume.ts";
import { attemptPath } from "#consumer/history/base/layout.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const IN_DOUBT: SendResult = { outcome: "in-doubt", detail: "500" };
const PLANNED = plannedAction();
const { key: KEY } = PLANNED;
const SAID = { as: "failed-not-applied", by: "eve", reason: "no ticket in the queue" } as const;

type TestBed = ReturnType<typeof createExecutionTestBed>;

async function history(testBed: TestBed, name: string, options: Options = {}, key?: string) {
  const lines: string[] = [];
  const volume = { files: readOnly(testBed), directory: "/data" };
  const context = {
    environment: {},
    print: (line: string) => void lines.push(line),
    stop: new AbortController().signal,
  };
  const exitCode = await runHistory(name, key, options, volume, context);
  return { lines, text: lines.join("\n"), exitCode };
}

/** Fails the test at anything that would change the volume. */
function readOnly({ volume }: TestBed): Files {
  return volume.mount(({ operation, path, phase }) => {
    if (phase === "before" && !["read", "readFrom", "list"].includes(operation)) {
      throw new Error(`a command wrote: ${operation} ${path}`);
    }
  });
}

function resolveIn({ volume, clock }: TestBed, said: Parameters<typeof resolve>[1] = SAID) {
  const system = { clock, random: createSeededRandom(5) };
  return resolve(KEY, said, { files: volume.mount(), directory: "/data" }, system);
}

// ------------------------------------------------------------------------------------------- read only

test("list and show tell of ended and of open keys while a pod is at work", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT, () => new Promise(() => undefined));
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  const open = {
    ...PLANNED,
    key: "ab".repeat(32),
    incident: { ...PLANNED.incident, id: "second" },
  };
  void pod.execute(open);
  for (let turn = 0; turn < 200; turn += 1) await nextTurn();

  const all = await history(testBed, "list");
  expect(all.lines).toHaveLength(3);
  expect(all.text).toContain(`${KEY}  in-doubt           1  restart-web/open-ticket  incident-1`);
  expect(all.text).toContain(`${open.key}  open`);
  expect((await history(testBed, "list", { outcome: "open", json: true })).lines).toHaveLength(1);
  expect((await history(testBed, "list", { rule: "another" })).lines).toEqual([
    "0 of 0, newest first",
  ]);
  await expect(history(testBed, "list", { outcome: "lost" })).rejects.toMatchObject({
    code: "usage",
  });

  const shown = await history(testBed, "show", {}, KEY.slice(0, 8));
  expect(shown.text).toContain("claimed 2026-01-01T00:00:00.000Z by a for incidents/3 offset 42");
  expect(shown.text).toContain("in-doubt 2026-01-01T00:00:00.000Z by a (sent): 500");
  expect(shown.text).toContain("its dead letter acknowledged");
  await expect(history(testBed, "show", {}, "0000")).rejects.toMatchObject({ code: "usage" });

  const stats = await history(testBed, "stats", { json: true });
  expect(JSON.parse(stats.text)).toMatchObject({
    keys: 2,
    states: { "in-doubt": 1, open: 1, done: 0 },
    rules: { "restart-web": 2 },
    journals: 1,
  });
  expect(await history(testBed, "verify")).toMatchObject({
    lines: ["2 keys, 0 faults"],
    exitCode: 0,
  });
});

test("verify names what must not be, file by file", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  const claim = testBed.file("claim");
  const put = (kind: string, content: object) =>
    testBed.volume.put(`claims/${KEY.slice(0, 2)}/${KEY}.2.${kind}`, JSON.stringify(content));
  put("claim", { ...claim, attempt: 2 });
  const outcome = { ...testBed.file("outcome"), attempt: 2, nonce: "f".repeat(32) };
  put("outcome", outcome);
  testBed.volume.put("automation_action_history.json", "{");
  const { text, exitCode } = await history(testBed, "verify");
  expect(exitCode).toBe(70);
  expect(text).toContain(`fault: ${KEY} attempt 2: its nonce is that of another attempt`);
  expect(text).toContain(`fault: ${KEY} attempt 2: the attempt before it ended as done`);
  expect(text).toContain(`fault: ${KEY} attempt 2: done, but not by the pod that claimed it`);
  expect(text).toContain("fault: automation_action_history.json:");
  put("outcome", { format: 1 });
  expect((await history(testBed, "verify")).text).toMatch(/fault: claims.*outcome/);
});

test("a directory without a history is told as such", async () => {
  const testBed = createExecutionTestBed(DONE);
  await expect(history(testBed, "stats")).rejects.toMatchObject({
    code: "history-unavailable",
    message: expect.stringContaining(
      "/data: is a history there? Check --directory or $HISTORY_DIR.",
    ),
  });
});

// --------------------------------------------------------------------------------------------- resolve

test("a resolution is a record of its own, audited in a sealed journal, and permits the next attempt", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT, DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  const outcome = testBed.volume.text(`claims/${KEY.slice(0, 2)}/${KEY}.1.outcome`);
  expect(await resolveIn(testBed)).toMatchObject({ ...SAID, key: KEY, attempt: 1 });
  expect(testBed.volume.text(`claims/${KEY.slice(0, 2)}/${KEY}.1.outcome`)).toBe(outcome);
  expect(
    JSON.parse(testBed.volume.durableText(attemptPath(KEY, 1, "resolution")) ?? ""),
  ).toMatchObject(SAID);

  const { history: read } = await readVolume(readOnly(testBed), "/data");
  expect([...read.index.audits()]).toEqual([
    expect.objectContaining({ kind: "resolution", key: KEY, attempt: 1, ...SAID }),
  ]);
  const shown = await history(testBed, "show", {}, KEY);
  expect(shown.text).toContain("by eve: no ticket in the queue");
  await expect(resolveIn(testBed)).rejects.toThrow(/was resolved as failed-not-applied by eve/);

  await testBed.clock.runUntil(pod.execute(PLANNED));
  expect(testBed.sender.sends).toHaveLength(2);
  await expect(resolveIn(testBed)).rejects.toThrow(/attempt 2 ended as done/);
  expect(await history(testBed, "verify")).toMatchObject({ exitCode: 0 });
  expect(testBed.volume.paths().filter((path) => path.startsWith("temporary/"))).toEqual([]);
});

test("an action that could not be filled is shown as not sent, and can be permitted", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  const { spec: _spec, ...unfilled } = PLANNED;
  const rejected = { ...unfilled, rejection: rejection("rejected", "url", "missing") };
  await testBed.clock.runUntil(pod.execute(rejected));
  expect((await history(testBed, "show", {}, KEY)).text).toContain(
    "rejected 2026-01-01T00:00:00.000Z by a (not sent): url is missing",
  );
  expect((await history(testBed, "verify")).exitCode).toBe(0);
  await expect(resolveIn(testBed)).resolves.toMatchObject({ attempt: 1, as: SAID.as });
});

test("what is open, unknown or final cannot be resolved, and leaves no audit", async () => {
  const testBed = createExecutionTestBed(() => new Promise(() => undefined));
  await using pod = await testBed.start("a");
  await expect(resolveIn(testBed)).rejects.toThrow(/no claim of/);
  void pod.execute(PLANNED);
  for (let turn = 0; turn < 200; turn += 1) await nextTurn();
  await expect(resolveIn(testBed)).rejects.toThrow(/is open/);
  const { history: read } = await readVolume(readOnly(testBed), "/data");
  expect([...read.index.audits()]).toEqual([]);
});

// --------------------------------------------------------------------------------------------- redrive

const EVERYTHING: RedriveSelection = {
  reason: undefined,
  keys: [],
  max: 100,
  again: false,
  dryRun: false,
  by: "eve",
};

/** A dead letter as it lies in its topic. */
function letter(offset: bigint, outgoing: OutgoingRecord): SourceRecord {
  const headers = Object.entries(outgoing.headers).map(([name, value]) => [
    name,
    Buffer.from(value),
  ]);
  return {
    topic: "dead",
    partition: 0,
    offset,
    key: outgoing.key === null ? null : Buffer.from(outgoing.key),
    value: outgoing.value,
    headers: Object.fromEntries(headers),
    timestampMs: 0,
  };
}

let seed = 100;

async function runRedrive(
  testBed: TestBed,
  letters: readonly SourceRecord[],
  selection: Partial<RedriveSelection> = {},
  onBroker: (broker: FakeBroker, clock: ManualClock) => void = (broker) => broker.join(),
) {
  const broker = fakeBroker();
  const lines: string[] = [];
  const clock = createManualClock();
  const volume = await readVolume(readOnly(testBed), "/data");
  const files = testBed.volume.mount();
  await using audit = openAudit({ files, clock, random: createSeededRandom((seed += 1)) });
  const running = redrive(
    { ...EVERYTHING, ...selection },
    {
      broker,
      sourceTopics: ["incidents"],
      volume,
      audit: (record) => audit.append(record),
      clock,
      print: (line) => void lines.push(line),
      idleMs: 1000,
      joinMs: 5000,
      stop: new AbortController().signal,
    },
  );
  running.catch(() => undefined);
  onBroker(broker, clock);
  await nextTurn();
  const delivered = letters.length > 0 ? broker.deliver(letters) : undefined;
  const [summary] = await clock.runUntil(Promise.all([running, delivered]));
  return { broker, lines, summary };
}

const headersOf = (more: Record<string, string> = {}) => ({
  "dead-letter-reason": "undecodable",
  "source-topic": "incidents",
  ...more,
});

test("dead letters go back to their topic once, with their bytes, and are never committed", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using _pod = await testBed.start("a");
  const value = new Uint8Array([0, 255]);
  const letters = [
    letter(0n, { topic: "dead", key: "incident-1", value, headers: headersOf() }),
    letter(1n, {
      topic: "dead",
      key: null,
      value,
      headers: headersOf({ "source-topic": "other" }),
    }),
    letter(2n, { topic: "dead", key: null, value, headers: {} }),
    letter(3n, {
      topic: "dead",
      key: null,
      value,
      headers: headersOf({ "dead-letter-value-omitted": "9 bytes" }),
    }),
    letter(4n, { topic: "dead", key: null, value, headers: headersOf() }),
  ];
  const dry = await runRedrive(testBed, letters, { dryRun: true });
  expect(dry.broker.published).toEqual([]);
  expect(dry.summary).toEqual({ read: 5, redriven: 2, skipped: 3 });

  const first = await runRedrive(testBed, letters, { max: 1 });
  expect(first.broker.published).toEqual([
    {
      topic: "incidents",
      key: "incident-1",
      value,
      headers: { "redriven-from": "dead/0/0", "redriven-by": "eve" },
    },
  ]);
  expect(first.broker.commits).toEqual([]);
  const second = await runRedrive(testBed, letters);
  expect(second.broker.published.map(({ headers }) => headers["redriven-from"])).toEqual([
    "dead/0/4",
  ]);
  expect(second.lines.join("\n")).toContain("dead/0/0 undecodable: published again before");
  const again = await runRedrive(testBed, letters, { again: true, reason: "undecodable" });
  expect(again.summary.redriven).toBe(2);
});

test("a letter of an action that has ended waits for its resolution", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  const [outgoing] = testBed.broker.published;
  if (outgoing === undefined) throw new Error("no dead letter");
  const letters = [letter(0n, outgoing)];
  const before = await runRedrive(testBed, letters, { keys: [KEY] });
  expect(before.lines).toEqual([
    `left     dead/0/0 in-doubt restart-web/open-ticket ${KEY}: its action is in-doubt: resolve it first`,
  ]);
  await resolveIn(testBed);
  const after = await runRedrive(testBed, letters, { keys: [KEY] });
  expect(after.broker.published).toHaveLength(1);
  expect(after.broker.published[0]?.value).toEqual(outgoing.value);
  expect((await runRedrive(testBed, letters, { keys: ["0".repeat(64)] })).summary.redriven).toBe(0);
});

test("a topic that stays silent ends the run, and a group that never joins fails it", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using _pod = await testBed.start("a");
  expect((await runRedrive(testBed, [])).summary).toEqual({ read: 0, redriven: 0, skipped: 0 });
  await expect(runRedrive(testBed, [], {}, () => undefined)).rejects.toThrow(
    /did not join the group in time/,
  );
  const refused = new ConsumerError("broker-denied", "no such right");
  await expect(runRedrive(testBed, [], {}, (broker) => broker.fail(refused))).rejects.toBe(refused);
});

test("a letter that cannot be published, or whose audit cannot be written, ends the run with its error", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using _pod = await testBed.start("a");
  const outgoing = { topic: "dead", key: null, value: new Uint8Array([1]), headers: headersOf() };
  const full = new ConsumerError("broker-unavailable", "not enough replicas");
  const refusing = (broker: FakeBroker) => {
    broker.onPublish(() => Promise.reject(full));
    broker.join();
  };
  const letters = [letter(0n, outgoing), letter(1n, outgoing)];
  await expect(runRedrive(testBed, letters, {}, refusing)).rejects.toBe(full);
  const { summary } = await runRedrive(testBed, letters);
  expect(summary.redriven).toBe(2);
});

test("a broker that is slow to acknowledge is no silence of the topic", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using _pod = await testBed.start("a");
  const outgoing = { topic: "dead", key: null, value: new Uint8Array([1]), headers: headersOf() };
  const letters = [letter(0n, outgoing), letter(1n, outgoing), letter(2n, outgoing)];
  const { summary } = await runRedrive(testBed, letters, {}, (broker, clock) => {
    broker.onPublish(() => clock.sleep(3000));
    broker.join();
  });
  expect(summary).toEqual({ read: 3, redriven: 3, skipped: 0 });
});
