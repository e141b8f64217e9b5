// Adds up what the parts of .ci/run counted: `node .ci/counts.mjs DIRECTORY`. The file `parts` in that directory has
// one line for each part: its exit code and its name. `tests.json` is the report of vitest, `scenarios.xml` that of
// the scenarios. Ends with exit code 1 when nothing passed.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [directory] = process.argv.slice(2);

const REPORTS = {
  tests: () => {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(read("tests.json"));
    const unread = testResults.filter(
      ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
    );
    return { passed: numPassedTests, failed: numFailedTests + unread.length };
  },
  scenarios: () => {
    const counts =
      /<testsuites[^>]*\btests="(\d+)"[^>]*\bfailures="(\d+)"[^>]*\bskipped="(\d+)"/.exec(
        read("scenarios.xml"),
      );
    const [all, failed, skipped] = counts.slice(1).map(Number);
    return { passed: all - failed - skipped, failed };
  },
  // That it was installed is no result.
  install: () => ({ passed: 0, failed: 0 }),
};

let passed = 0;
let failed = 0;
for (const line of existsSync(join(directory, "parts")) ? read("parts").trim().split("\n") : []) {
  const [, code, name] = /^(\d+) (.*)$/.exec(line);
  const isPassed = code === "0";
  const counted = reportOf(name) ?? { passed: isPassed ? 1 : 0, failed: 0 };
  passed += counted.passed;
  // A part that crashed, or failed for a reason that its report does not count, is one failure.
  failed += isPassed ? counted.failed : Math.max(1, counted.failed);
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
if (passed === 0) process.exitCode = 1;

/** undefined: it has none, or did not come to write it. */
function reportOf(name) {
  try {
    return Object.hasOwn(REPORTS, name) ? REPORTS[name]() : undefined;
  } catch {
    return undefined;
  }
}

function read(name) {
  return readFileSync(join(directory, name), "utf8");
}
