import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";

const TESTS = JSON.stringify({
  numPassedTests: 7,
  numFailedTests: 0,
  testResults: [{ status: "passed", assertionResults: [{}] }],
});
const scenarios = (failures: number): string =>
  `<?xml version="1.0"?>\n` +
  `<testsuites tests="5" failures="${failures}" errors="0" skipped="1" time="1.000">\n</testsuites>\n`;

const countsOf = async (files: Readonly<Record<string, string>>) => {
  const directory = await mkdtemp(join(tmpdir(), "counts-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    const script = join(import.meta.dirname, "counts.mjs");
    const { stdout, exitCode } = await execa(process.execPath, [script, directory], {
      reject: false,
    });
    return { stdout, exitCode };
  } finally {
    await rm(directory, { recursive: true });
  }
};

test("what the reports of tests and scenarios count is added up, and every other part is one", async () => {
  const parts = "0 install\n0 tests\n0 scenarios\n0 simulate\n0 chaos\n";
  const files = { parts, "tests.json": TESTS, "scenarios.xml": scenarios(0) };
  expect(await countsOf(files)).toEqual({ stdout: "13 passed, 0 failed", exitCode: 0 });
});

test("scenarios that failed are counted once each", async () => {
  const parts = "0 install\n0 tests\n1 scenarios\n";
  const files = { parts, "tests.json": TESTS, "scenarios.xml": scenarios(2) };
  expect(await countsOf(files)).toEqual({ stdout: "9 passed, 2 failed", exitCode: 0 });
});

test.each([
  ["crashed before it wrote its report", {}],
  ["wrote half of it", { "scenarios.xml": "<testsui" }],
  ["failed for a reason that it does not count", { "scenarios.xml": scenarios(0) }],
])("a part that %s is one failure", async (_, report) => {
  const parts = "0 install\n0 tests\n70 scenarios\n";
  const { stdout } = await countsOf({ parts, "tests.json": TESTS, ...report });
  expect(stdout).toMatch(/^\d+ passed, 1 failed$/);
});

test("tests that all passed, and whose run failed all the same, are one failure", async () => {
  const files = { parts: "0 install\n1 tests\n", "tests.json": TESTS };
  expect(await countsOf(files)).toEqual({ stdout: "7 passed, 1 failed", exitCode: 0 });
});

test("what could not be installed is one failure, and nothing passed", async () => {
  const files = { parts: "1 install\n" };
  expect(await countsOf(files)).toEqual({ stdout: "0 passed, 1 failed", exitCode: 1 });
});

test("without any part nothing passed", async () => {
  expect(await countsOf({})).toEqual({ stdout: "0 passed, 0 failed", exitCode: 1 });
});
