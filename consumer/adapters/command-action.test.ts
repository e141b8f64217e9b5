import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { CommandAction, SendResult } from "#consumer/ports.ts";
import { createActionSender } from "./action-sender.ts";
import { sendCommand } from "./command-action.ts";

const TRACEPARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
const NODE = process.execPath;
const run = promisify(execFile);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "command-action-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

function send(
  command: readonly [string, ...string[]],
  options: {
    deadlineMs?: number;
    environment?: Record<string, string>;
    closing?: AbortSignal;
    keepResponse?: CommandAction["keepResponse"];
  } = {},
): Promise<SendResult> {
  const { environment = {}, keepResponse } = options;
  return sendCommand(
    { type: "command", command, environment, keepResponse },
    {
      idempotencyKey: "0123abcd",
      traceparent: TRACEPARENT,
      deadlineMs: options.deadlineMs ?? 10_000,
      closing: options.closing ?? new AbortController().signal,
    },
  );
}

/** Returns whether a process lives. One that has ended and was not collected by its new parent yet does not. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    const { stdout } = await run("ps", ["-o", "stat=", "-p", String(pid)]);
    return !stdout.trim().startsWith("Z");
  } catch {
    return false;
  }
}

async function until<Value>(read: () => Value | Promise<Value>): Promise<NonNullable<Value>> {
  for (const deadline = Date.now() + 5000; ; await sleep(10)) {
    const value = await read();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > deadline) throw new Error("never");
  }
}

const pidIn = (file: string) => until(() => readFile(file, "utf8").then(Number, () => undefined));

describe("command action", () => {
  test("was not applied when the kernel refuses its arguments", async () => {
    expect(await send(["/bin/true", "x".repeat(4_000_000)])).toMatchObject({
      outcome: "failed-not-applied",
      detail: expect.stringContaining("E2BIG"),
    });
  });

  test("runs without a shell, with the key in its environment and nothing else of ours", async () => {
    const script =
      "console.log(JSON.stringify([process.argv.slice(1), process.env])); process.exit(1)";
    const result = await send([NODE, "-e", script, "$(id) {x}; *"], {
      environment: { COLOUR: "red" },
    });
    expect(JSON.parse(result.detail.replace(/^exit 1: /, ""))).toStrictEqual([
      ["$(id) {x}; *"],
      { PATH: process.env.PATH, COLOUR: "red", IDEMPOTENCY_KEY: "0123abcd", TRACEPARENT },
    ]);
  });

  test.each([
    [0, "done"],
    [64, "rejected"],
    [65, "rejected"],
    [77, "rejected"],
    [78, "rejected"],
    [75, "failed-not-applied"],
    [1, "in-doubt"],
    [127, "in-doubt"],
  ])("takes exit %i for %s", async (code, outcome) => {
    expect(await send(["/bin/sh", "-c", `echo no >&2; exit ${String(code)}`])).toStrictEqual({
      outcome,
      detail: code === 0 ? "exit 0" : `exit ${String(code)}: no`,
    });
  });

  test("keeps the output of a failure, without credentials, unless the action says never", async () => {
    const environment = { API_TOKEN: "correct-horse", TEAM: "sre" };
    const script =
      'echo "$TEAM $API_TOKEN"; printf %s "me:$API_TOKEN" | base64 >&2; cat "$0"; exit 1';
    const key = join(directory, "key.pem");
    await writeFile(key, "-----BEGIN PRIVATE KEY-----\nbattery\n-----END PRIVATE KEY-----\n");
    const command = ["/bin/sh", "-c", script, key] as const;
    const { detail } = await send(command, { environment });
    expect(detail).toMatch(/^exit 1: sre \[masked\]/);
    expect(detail).not.toMatch(/correct|horse|battery|b3JyZWN0/);
    expect(await send(command, { environment, keepResponse: "never" })).toEqual({
      outcome: "in-doubt",
      detail: "exit 1",
    });
  });

  test("masks a credential whose name is before the part of the output that is kept", async () => {
    const script =
      "process.stdout.write('{\"token\":\"' + 'horse '.repeat(500) + '\"}'); process.exit(1)";
    expect((await send([NODE, "-e", script])).detail).not.toContain("horse");
  });

  test("knows that nothing was applied when there is no such executable", async () => {
    expect(await send(["/nowhere/restart"])).toMatchObject({
      outcome: "failed-not-applied",
      detail: expect.stringContaining("ENOENT"),
    });
  });

  test("is in doubt when a signal ended it", async () => {
    expect(await send(["/bin/sh", "-c", "kill -9 $$"])).toStrictEqual({
      outcome: "in-doubt",
      detail: "ended by SIGKILL",
    });
  });

  test("kills the whole tree at the deadline, and is in doubt", async () => {
    const file = join(directory, "grandchild");
    const result = await send(
      ["/bin/sh", "-c", `(trap '' TERM; sleep 600 & echo $! >${file}; wait) & wait`],
      { deadlineMs: 400 },
    );
    expect(result).toMatchObject({
      outcome: "in-doubt",
      detail: "not ended within 400 ms, killed",
    });
    const grandchild = await pidIn(file);
    await until(async () => !(await isAlive(grandchild)));
    expect(await isAlive(grandchild)).toBe(false);
  });

  test("ends with its first process, and kills what that one left behind", async () => {
    const file = join(directory, "left");
    const result = await send(["/bin/sh", "-c", `sleep 600 & echo $! >${file}`]);
    expect(result.outcome).toBe("done");
    const left = await pidIn(file);
    await until(async () => !(await isAlive(left)));
    expect(await isAlive(left)).toBe(false);
  });

  test("keeps only the end of a long output, and never blocks on it", async () => {
    const result = await send([
      NODE,
      "-e",
      "process.stdout.write('x'.repeat(5e6) + 'end', () => process.exit(75))",
    ]);
    expect(result.outcome).toBe("failed-not-applied");
    expect(result.detail.length).toBeLessThan(2100);
    expect(result.detail.endsWith("xend")).toBe(true);
  });

  test("is killed when the sender is disposed", async () => {
    const sender = createActionSender({
      identity: { current: () => Promise.reject(new Error("none")), state: { ready: true } },
    });
    const sending = sender.send(
      { type: "command", command: ["/bin/sleep", "600"], environment: {} },
      { idempotencyKey: "k", traceparent: TRACEPARENT, deadlineMs: 60_000 },
    );
    sender[Symbol.dispose]();
    expect(await sending).toStrictEqual({
      outcome: "in-doubt",
      detail: "the process ended, killed",
    });
  });
});
