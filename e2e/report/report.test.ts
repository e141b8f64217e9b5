import { describe, expect, test } from "vitest";
import { ExpectationError } from "#e2e/errors.ts";
import type { RunEvent } from "#e2e/base/events.ts";
import type { ScenarioResult } from "#e2e/runner/run-scenarios.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { htmlTimeline } from "./html.ts";
import { junitReport } from "./junit.ts";
import { LiveBlock } from "./live-block.ts";
import type { Terminal } from "./live-block.ts";
import { closingLines, Progress } from "./progress.ts";
import { TestScreen } from "./testing/test-screen.ts";

const scenario = (number: number, name: string): Scenario => ({
  number,
  name,
  title: "It holds.",
  run: async () => {},
});
const results: ScenarioResult[] = [
  { scenario: scenario(1, "one"), status: "passed", durationMs: 1234 },
  {
    scenario: scenario(2, "two"),
    status: "failed",
    durationMs: 20,
    failure: {
      kind: "expectation",
      error: new ExpectationError('effects "2" > 1\n<key> & \u0007'),
    },
  },
  { scenario: scenario(3, "three"), status: "interrupted", durationMs: 0 },
  { scenario: scenario(4, "four"), status: "skipped", durationMs: 0, reason: "no <nodes>" },
];
const event = (atMs: number, name: string, fields = {}): RunEvent => ({
  atMs,
  scenario: "01-one",
  source: "scenario",
  event: name,
  fields,
});

describe("the JUnit report", () => {
  const xml = junitReport(results, { seed: "7" });

  test("counts every scenario once", () => {
    expect(xml).toContain(
      '<testsuites tests="4" failures="1" errors="0" skipped="2" time="1.254">',
    );
    expect(xml.match(/<testcase /g)).toHaveLength(4);
  });

  test("gives the reason of each skipped scenario", () => {
    expect(xml).toContain('name="04-four" time="0.000"><skipped message="no &lt;nodes&gt;"/>');
  });

  test("escapes characters that XML does not allow, including control characters", () => {
    expect(xml).toContain("effects &quot;2&quot; &gt; 1&#10;&lt;key&gt; &amp; ?");
    expect(xml).not.toContain("\u0007");
  });
});

describe("the closing lines", () => {
  test("end with a line of counts, after the seed and the rerun command", () => {
    const lines = closingLines({
      results,
      seed: 7,
      rerun: "npm run e2e -- --seed 7",
      artifacts: "artifacts/x",
      wallMs: 2500,
    })
      .trimEnd()
      .split("\n");
    expect(lines.slice(-3)).toEqual([
      "seed 7",
      "again: npm run e2e -- --seed 7",
      "1 passed, 1 failed",
    ]);
    expect(lines).toContain("1 not finished: interrupted");
    expect(lines).toContain("1 skipped, each with its reason above");
  });
});

function showProgress(terminal: Terminal): void {
  using block = new LiveBlock(terminal, { environment: {} });
  const progress = new Progress(block, 2);
  progress.show(event(0, "scenario.started"));
  progress.show(event(1, "scenario.step", { text: "kill the pod and wait until it is back" }));
  progress.show(event(2, "scenario.passed", { durationMs: 2000 }));
  progress.show({ ...event(3, "scenario.skipped", { message: "no nodes" }), scenario: "02-two" });
}

describe("the progress", () => {
  test("consists of plain lines when there is no terminal", () => {
    let text = "";
    showProgress({ isTTY: false, write: (more) => (text += more) });
    expect(text).toBe(
      "     01-one: kill the pod and wait until it is back\nok   01-one (2.0 s)\nskip 02-two: no nodes\n",
    );
  });

  test("shows one changing line on a terminal, below the lines of ended scenarios", () => {
    const screen = new TestScreen({ columns: 30, rows: 10 });
    showProgress(screen);
    expect(screen.written).toContain("0/2 01-one: kill the pod and…");
    expect(screen.lines()).toEqual(["ok   01-one (2.0 s)", "skip 02-two: no nodes"]);
    expect(screen.wraps).toBe(0);
  });
});

describe("the timeline", () => {
  const html = htmlTimeline(
    results,
    [event(0, "a"), event(9, "b", { note: "<script>", at: 5n })],
    "run",
  );

  test("shows every scenario and event, escaped", () => {
    expect(html.match(/<details/g)).toHaveLength(4);
    expect(html).toContain("note=&lt;script&gt; at=&quot;5&quot;");
  });

  test("refers to no external resource", () => {
    expect(html).not.toMatch(/(src|href)=/);
  });
});
