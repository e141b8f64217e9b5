import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseInvocation } from "#e2e/cli/arguments.ts";
import { runEndToEnd } from "#e2e/runner/run-end-to-end.ts";
import { scenario } from "./deleted-between-two-incidents.ts";

test("the example passes on the local target", async () => {
  const artifacts = await mkdtemp(join(tmpdir(), "kafka-consumer-example-"));
  onTestFinished(() => rm(artifacts, { recursive: true }));
  const invocation = parseInvocation(["--seed", "42"], { SD_ARTIFACTS_DIR: artifacts }, () => 42);
  if (invocation.command !== "run") throw new Error(`the command is ${invocation.command}`);
  let output = "";
  const exitCode = await runEndToEnd({
    arguments: invocation.run,
    scenarios: [scenario],
    terminal: { isTTY: false, write: (text) => (output += text) },
    signal: new AbortController().signal,
  });
  expect({ exitCode, output }).toEqual({
    exitCode: 0,
    output: expect.stringContaining("1 passed, 0 failed"),
  });
});
