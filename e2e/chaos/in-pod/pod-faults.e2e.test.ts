import { access, mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunEvent, RecordEvent } from "#e2e/base/events.ts";
import { until } from "#e2e/base/waiting.ts";
import { startCallingProcess } from "./testing/calling-process.ts";
import type { CallingProcess } from "./testing/calling-process.ts";
import { PodFaults } from "./pod-faults.ts";
import type { VolumeRuleRequest } from "./volume-rule.ts";

const KEY = "ab".repeat(32);
const CLAIM = `claims/ab/${KEY}.1.claim`;

let root: string;
let stack: AsyncDisposableStack;
let events: Pick<RunEvent, "event" | "fields">[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "in-pod-"));
  for (const name of ["claims/ab", "temporary", "journal"]) {
    await mkdir(join(root, name), { recursive: true });
  }
  stack = new AsyncDisposableStack();
  stack.defer(() => rm(root, { recursive: true }));
  events = [];
});

afterEach(async () => {
  await stack.disposeAsync();
});

const recordEvent: RecordEvent = (_source, event, fields = {}) =>
  void events.push({ event, fields });

async function startFaults(takenMsMax?: number): Promise<PodFaults> {
  return stack.use(await PodFaults.start(recordEvent, takenMsMax));
}

async function startProcess(
  faults: PodFaults,
  { pod = "pod-a", environment = {} }: { pod?: string; environment?: Record<string, string> } = {},
): Promise<CallingProcess> {
  return stack.use(
    await startCallingProcess({
      ...faults.environment("127.0.0.1"),
      HISTORY_DIR: root,
      POD_NAME: pod,
      ...environment,
    }),
  );
}

function rule(request: Partial<VolumeRuleRequest>): VolumeRuleRequest {
  return {
    pod: "pod-a",
    operations: ["link"],
    purposes: null,
    phase: "before",
    action: { type: "fail", code: "EIO" },
    ...request,
  };
}

const at = (path: string): string => join(root, path);

async function isThere(path: string): Promise<boolean> {
  return await access(at(path)).then(
    () => true,
    () => false,
  );
}

const WAIT = { deadlineMs: 20_000, intervalMs: 5 };

test("without a rule every call does what it says", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  expect(await program.call("write", "temporary/a", "text")).toEqual({});
  expect(await program.call("link", at("temporary/a"), at(CLAIM))).toEqual({ value: undefined });
  expect(await program.call("read", CLAIM)).toEqual({ value: "text" });
  expect(await program.call("list", "claims/ab")).toEqual({ value: [`${KEY}.1.claim`] });
  expect(await program.end()).toBe(0);
  expect(program.stderr()).toBe("");
});

test("a rule fails the calls that it is about, with the error of the system, and tells each", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  await program.call("write", "temporary/a", "text");
  const armed = await faults.arm(rule({ purposes: ["claim"] }));
  const { error } = await program.call("link", at("temporary/a"), at(CLAIM));
  expect(error).toMatchObject({ code: "EIO", errno: -5, syscall: "link" });
  expect(await isThere(CLAIM)).toBe(false);
  expect(await program.call("link", at("temporary/a"), at("journal/a"))).toEqual({});
  expect(armed.hits).toMatchObject([{ pod: "pod-a", syscall: "link", path: CLAIM }]);
  await armed.disarm();
  expect(await program.call("link", at("temporary/a"), at(CLAIM))).toEqual({});
});

test("errors look as the system's do", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  await program.call("write", "temporary/a", "text");
  await program.call("link", at("temporary/a"), at(CLAIM));
  const real = await program.call("link", at("temporary/a"), at(CLAIM));
  await using _ = await faults.arm(rule({ action: { type: "fail", code: "EEXIST" } }));
  const made = await program.call("link", at("temporary/a"), at(CLAIM));
  expect(real.error).toMatchObject({ code: "EEXIST" });
  expect(made).toEqual(real);
});

test("another pod is left alone", async () => {
  const faults = await startFaults();
  const other = await startProcess(faults, { pod: "pod-b" });
  await other.call("write", "temporary/b", "text");
  const armed = await faults.arm(rule({}));
  expect(await other.call("link", at("temporary/b"), at(CLAIM))).toEqual({});
  expect(armed.hits).toEqual([]);
});

test("a link that is applied and whose reply is lost is there", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  await program.call("write", "temporary/a", "text");
  const armed = await faults.arm(
    rule({ phase: "after", action: { type: "fail", code: "EEXIST" }, times: 1 }),
  );
  const { error } = await program.call("link", at("temporary/a"), at(CLAIM));
  expect(error).toMatchObject({ code: "EEXIST", syscall: "link" });
  expect(await isThere(CLAIM)).toBe(true);
  expect(armed.hits).toHaveLength(1);
});

test.each([
  ["before", false],
  ["after", true],
] as const)("a hold %s the link: it is there: %s", async (phase, isLinked) => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  await program.call("write", "temporary/a", "text");
  const armed = await faults.arm(rule({ phase, action: { type: "hold", ordinal: 1 } }));
  let isAnswered = false;
  const linking = program.call("link", at("temporary/a"), at(CLAIM)).then((end) => {
    isAnswered = true;
    return end;
  });
  expect(await armed.reached).toMatchObject({ pod: "pod-a", syscall: "link", path: CLAIM });
  expect(await isThere(CLAIM)).toBe(isLinked);
  // Another call goes through, so that what is held is that call and not the process.
  expect(await program.call("read", "temporary/a")).toEqual({ value: "text" });
  expect(isAnswered).toBe(false);
  await armed.disarm();
  expect(await linking).toEqual({});
  expect(await isThere(CLAIM)).toBe(true);
});

test("a hold is about the n-th call, and others pass", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  await program.call("write", "temporary/a", "text");
  const armed = await faults.arm(rule({ action: { type: "hold", ordinal: 2 } }));
  expect(await program.call("link", at("temporary/a"), at("journal/1"))).toEqual({});
  const second = program.call("link", at("temporary/a"), at("journal/2"));
  expect(await armed.reached).toMatchObject({ path: "journal/2" });
  expect(await program.call("link", at("temporary/a"), at("journal/3"))).toEqual({});
  expect(await isThere("journal/2")).toBe(false);
  await armed.disarm();
  expect(await second).toEqual({});
});

test("a process that is killed while it is held applies nothing", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  await program.call("write", "temporary/a", "text");
  const armed = await faults.arm(rule({ action: { type: "hold", ordinal: 1 } }));
  void program.call("link", at("temporary/a"), at(CLAIM));
  await armed.reached;
  program.kill("SIGKILL");
  expect(await program.exited).toBe("SIGKILL");
  await until("its connection is gone", () => faults.connected.length === 0, WAIT);
  await armed.disarm();
  expect(await isThere(CLAIM)).toBe(false);
});

test("a process that starts later has the rule from its first operation", async () => {
  const faults = await startFaults();
  const armed = await faults.arm(
    rule({ operations: ["create"], action: { type: "fail", code: "ENOSPC" } }),
  );
  const program = await startProcess(faults);
  const { error } = await program.call("write", "temporary/a", "text");
  expect(error).toMatchObject({ code: "ENOSPC", syscall: "open" });
  expect(armed.hits).toMatchObject([{ path: "temporary/a" }]);
});

test("reads, listings and syncs can fail too", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  await program.call("write", "temporary/a", "text");
  const operations = ["read", "list", "sync", "sync-directory"] as const;
  await using _ = await faults.arm(rule({ operations, action: { type: "fail", code: "ESTALE" } }));
  const ends = [
    await program.call("read", "temporary/a"),
    await program.call("list", "claims/ab"),
    await program.call("listEach", "claims/ab"),
    await program.call("write", "temporary/b", "text"),
    await program.call("syncDirectory", "claims/ab"),
  ];
  expect(ends.map(({ error }) => error?.code)).toEqual(ends.map(() => "ESTALE"));
});

test("a delay keeps the call waiting, and it is made", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  await program.call("write", "temporary/a", "text");
  const delayMs = 300;
  const armed = await faults.arm(rule({ action: { type: "delay", delayMs } }));
  const startMs = performance.now();
  expect(await program.call("link", at("temporary/a"), at(CLAIM))).toEqual({});
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(delayMs - 1);
  expect(armed.hits).toHaveLength(1);
});

test("the clock of one pod is moved, the system's is not", async () => {
  const faults = await startFaults();
  const program = await startProcess(faults);
  const other = await startProcess(faults, { pod: "pod-b" });
  await faults.moveClock("pod-a", -20_000);
  expect(faults.clocksAheadMs("pod-a")).toEqual([-20_000]);
  const { value } = await program.call("dates");
  const { now, made, text, system } = Object(value);
  for (const shown of [now, made]) expect(shown - system).toBeCloseTo(-20_000, -3);
  expect(Date.parse(text) - system).toBeCloseTo(-20_000, -4);
  const untouched = Object((await other.call("dates")).value);
  expect(untouched.now - untouched.system).toBeCloseTo(0, -3);
  await faults.moveClock("pod-a", 0);
  expect(faults.clocksAheadMs("pod-a")).toEqual([0]);
});

test("a stranger is not let in", async () => {
  const faults = await startFaults();
  const socket = connect({ host: "127.0.0.1", port: faults.port });
  stack.defer(() => void socket.destroy());
  socket.write(
    `${JSON.stringify({ type: "hello", token: "wrong", pod: "pod-a", process: "p", pid: 1, lost: 0 })}\n`,
  );
  await once(socket, "close");
  expect(faults.connected).toEqual([]);
});

test("a process without its control server fails, and says why", async () => {
  const nobody = createServer();
  nobody.listen(0, "127.0.0.1");
  await once(nobody, "listening");
  const address = nobody.address();
  nobody.close();
  const faults = await startFaults();
  const control = `127.0.0.1:${Object(address).port} ${"0".repeat(32)}`;
  const environment = { POD_FAULT_CONTROL: control, POD_FAULT_WAIT_MS: "300" };
  await expect(startProcess(faults, { environment })).rejects.toThrow(
    /the control server of the kit at 127\.0\.0\.1:\d+ gave no rules within 300 ms/,
  );
});

test("a connection that is reset is one that is gone", async () => {
  const faults = await startFaults();
  const { POD_FAULT_CONTROL } = faults.environment("127.0.0.1");
  const token = POD_FAULT_CONTROL.split(" ")[1];
  const socket = connect({ host: "127.0.0.1", port: faults.port });
  socket.write(
    `${JSON.stringify({ type: "hello", token, pod: "pod-a", process: "p", pid: 1, lost: 0 })}\n`,
  );
  await until("it is let in", () => faults.connected.length === 1, WAIT);
  socket.resetAndDestroy();
  await until("it is gone", () => faults.connected.length === 0, WAIT);
  expect(events.map(({ event }) => event)).toEqual(["in-pod.joined", "in-pod.left"]);
});
