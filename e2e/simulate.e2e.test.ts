import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exitCode } from "./simulate.ts";

const COMMAND = join(import.meta.dirname, "simulate.ts");

/** What it prints and ends with. */
function simulate(...argv: string[]): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...argv], (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, output: stdout + stderr });
    });
  });
}

function withoutTime(text: string): string {
  return text.replace(/ in \S+ s, \d+ steps a second,/, "");
}

test("the same seed is the same runs in however many threads, and says how to have them again", async () => {
  const [one, other] = await Promise.all([
    simulate("--runs", "3", "--seed", "42", "--jobs", "1"),
    simulate("--runs", "3", "--seed", "42", "--jobs", "2"),
  ]);
  expect(one.code).toBe(0);
  expect(one.output).toMatch(/^seed 42\n/);
  expect(one.output).toMatch(/^steps: [1-9]\d* \(/m);
  expect(one.output).toMatch(/^crash points not hit: /m);
  expect(one.output).toMatch(/^3 runs in \S+ s, \d+ steps a second, 0 failed$/m);
  expect(one.output).toMatch(/^again: npm run simulate -- --seed 42 --runs 3$/m);
  expect(withoutTime(one.output)).toBe(withoutTime(other.output));
});

test.each(["--runs 0", "--runs many", "--seed=-1", "--jobs 0", "--walk"])(
  "%s is wrong usage",
  async (line) => {
    const { code, output } = await simulate(...line.split(" "));
    expect(code).toBe(2);
    expect(output).toContain("usage: npm run simulate");
  },
);

test.each([
  [10_000, 0, 0, 0],
  [10_000, 1, 0, 1],
  [10_000, 1, 1, 1],
  [1000, 0, 1, 4],
  [999, 0, 1, 0],
])("%i runs, %i failed, %i crash points not hit: exit code %i", (runs, failed, missed, code) => {
  expect(exitCode(runs, failed, missed)).toBe(code);
});
