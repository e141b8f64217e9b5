import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const SAID = ["--by", "eve", "--reason", "a wrong rule"];

let volume: string;

beforeEach(async () => {
  volume = await mkdtemp(join(tmpdir(), "pause-"));
  for (const name of ["claims", "journal", "snapshot", "temporary"]) {
    await mkdir(join(volume, name));
  }
});

afterEach(() => rm(volume, { recursive: true }));

function run(...parameters: readonly string[]) {
  const command = [MAIN, ...parameters, "--directory", volume];
  return new Promise<{ code: unknown; output: string; errors: string }>((resolve) => {
    execFile(process.execPath, command, (error, output, errors) =>
      resolve({ code: error?.code ?? 0, output, errors }),
    );
  });
}

test("the commands pause and resume, and say what they cannot know", async () => {
  const paused = await run("pause", ...SAID);
  expect(paused).toMatchObject({ code: 0, errors: "" });
  expect(paused.output).toContain("From 5 s after that on, no pod claims an action.");
  expect(paused.output).toContain("no pod has acknowledged anything on this volume");
  const file: unknown = JSON.parse(await readFile(join(volume, "control/pause.json"), "utf8"));
  expect(file).toMatchObject({ paused: true, by: "eve", reason: "a wrong rule" });
  const again = await run("pause", ...SAID);
  expect(again).toMatchObject({ code: 2, output: "" });
  expect(again.errors).toContain("the work was paused by eve at ");
  const resumed = await run("resume", ...SAID);
  expect(resumed).toMatchObject({ code: 0, errors: "" });
  expect(resumed.output).toContain("How many of the waiting records are too old by now cannot be");
});

test.each([
  [["pause", "--reason", "x"], "--by is required"],
  [["resume", "--by", "eve", "--reason", " "], "--reason is required"],
  [["pause", "now", ...SAID], "pause takes no operand"],
  [["resume", ...SAID, "--key", "ab"], "resume has no option --key"],
  [["resume", ...SAID], "the work is not paused"],
])("%j is refused", async (parameters, message) => {
  if (message === "the work is not paused") {
    await run("pause", ...SAID);
    await run("resume", ...SAID);
  }
  const { code, errors } = await run(...parameters);
  expect({ code, errors }).toEqual({ code: 2, errors: expect.stringContaining(message) });
});
