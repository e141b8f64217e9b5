import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exitCode, partsOf } from "./main.ts";

const COMMAND = join(import.meta.dirname, "main.ts");

/** Runs the program and returns its output and exit code. */
function simulate(...argv: string[]): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...argv], (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, output: stdout + stderr });
    });
  });
}

function withoutTime(text: string): string {
  return text
    .replace(/ in \S+ s, \d+ steps a second,/, "")
    .replaceAll(/^\d+ of 3 runs, .*\n/gm, "");
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

test("wrong usage is one message, and where to read more", async () => {
  const { code, output } = await simulate("--jobs", "0");
  expect(code).toBe(2);
  expect(output).toBe(
    "--jobs must be a whole number from 1 to 256, got 0\nAll options: npm run simulate -- --help\n",
  );
});

test.each([
  [10_000, 0, 0, 0],
  [10_000, 1, 0, 1],
  [10_000, 1, 1, 1],
  [1000, 0, 1, 4],
  [999, 0, 1, 0],
])("%i runs, %i failed, %i crash points not hit: exit code %i", (runs, failed, missed, code) => {
  expect(exitCode(runs, failed, missed)).toBe(code);
});

test.each([
  [7, 1, 8],
  [7, 1, 1200],
  [7, 2, 1007],
  [42, 3, 4000],
])(
  "the seeds from %i, every %i-th, below %i have threads of 500 runs at most, and each one run",
  (first, step, end) => {
    const seedsOf = (share: { first: number; end: number }): number[] =>
      Array.from(
        { length: Math.ceil((share.end - share.first) / step) },
        (_, index) => share.first + index * step,
      );
    const share = { first, step, end, steps: null };
    const parts = [...partsOf(share)];
    expect(parts.flatMap((part) => seedsOf(part))).toEqual(seedsOf(share));
    expect(Math.max(...parts.map((part) => seedsOf(part).length))).toBeLessThanOrEqual(500);
  },
);
