import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunEvent, Tell } from "../../events.ts";
import { until } from "../../waiting.ts";
import { startCallingProcess } from "./calling-process.ts";
import type { CallingProcess } from "./calling-process.ts";
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

const tell: Tell = (_source, event, fields = {}) => void events.push({ event, fields });

async function startFaults(takenMsMax?: number): Promise<PodFaults> {
  return stack.use(await PodFaults.start(tell, takenMsMax));
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
