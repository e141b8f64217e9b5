import { expect, test } from "vitest";
import { compareTraces, comparisonLines } from "./compare-traces.ts";
import { parseDeviations } from "./deviations.ts";
import type { Trace } from "./trace-file.ts";

const SCENARIO = "08-killed";

function run(target: string, ...lives: string[]): ReadonlyMap<string, Trace> {
  const deployments = [lives.map((life) => life.split(" > "))];
  return new Map([[SCENARIO, { format: 2, scenario: SCENARIO, target, unseen: [], deployments }]]);
}

const line = (word: string, only = "local", notOn = "kind"): string =>
  `- trace \`${SCENARIO}\`: \`${word}\` only on ${only}, not on ${notOn}: a reason.`;

const compared = (
  left: ReadonlyMap<string, Trace>,
  right: ReadonlyMap<string, Trace>,
  ...lines: string[]
) => compareTraces(left, right, parseDeviations(lines.join("\n")));

const LIFE = "scheduled > ready > signal SIGKILL > exit 137 > restarted > ready";

test("a run is equal to itself and to a run with the same lives", () => {
  const one = run("local", LIFE, "scheduled");
  expect(compared(one, one)).toMatchObject({ compared: [SCENARIO], findings: [], alone: [] });
  expect(compared(one, run("kind", "scheduled", LIFE)).findings).toEqual([]);
});

test.each(LIFE.split(" > ").map((_, index) => index))(
  "word %i that is missing is found",
  (index) => {
    const words = LIFE.split(" > ");
    const mutated = words.toSpliced(index, 1).join(" > ");
    const { findings } = compared(run("local", LIFE), run("kind", mutated));
    expect(findings).toEqual([
      `${SCENARIO}: \`${words[index]}\` only on local, deployment 1\n  local: ${LIFE}\n  kind: ${mutated}`,
    ]);
  },
);

test("a different order and a different exit code are found on both sides", () => {
  const swapped = LIFE.replace("signal SIGKILL > exit 137", "exit 137 > signal SIGKILL");
  expect(compared(run("local", LIFE), run("kind", swapped)).findings).toHaveLength(2);
  const other = LIFE.replace("137", "143");
  expect(
    compared(run("local", LIFE), run("kind", other)).findings.map((text) => text.split(",")[0]),
  ).toEqual([`${SCENARIO}: \`exit 137\` only on local`, `${SCENARIO}: \`exit 143\` only on kind`]);
});

test("an additional pod or deployment is found", () => {
  const one = run("local", LIFE);
  expect(compared(one, run("kind", LIFE, LIFE)).findings[0]).toContain(
    "`a whole pod` only on kind",
  );
  const trace = one.get(SCENARIO);
  if (trace === undefined) throw new Error("no trace");
  const more = new Map([
    [SCENARIO, { ...trace, deployments: [...trace.deployments, ...trace.deployments] }],
  ]);
  expect(compared(one, more).findings[0]).toContain("deployment 2");
});

test("a life that was not seen to its end is compared as far as it was seen", () => {
  const mine = run("local", "scheduled > ...");
  expect(compared(mine, run("kind", "scheduled > ready")).findings).toEqual([]);
  expect(compared(mine, run("kind", "exit 1 > ready")).findings).toHaveLength(2);
});

test("a life that was not seen to its end does not take the better match of another pod", () => {
  const mine = run("local", "scheduled > ...", "scheduled > ready");
  const theirs = run("kind", "scheduled > certificates > ready", "scheduled > ready");
  expect(compared(mine, theirs).findings).toEqual([]);
  expect(compared(theirs, mine).findings).toEqual([]);
});

test("words that one target cannot see are not compared, but listed", () => {
  const blind = run("kind", LIFE.replace("signal SIGKILL > ", ""));
  const trace = blind.get(SCENARIO);
  if (trace === undefined) throw new Error("no trace");
  const other = new Map([[SCENARIO, { ...trace, unseen: ["signal"] }]]);
  const comparison = compared(run("local", LIFE), other);
  expect(comparison.findings).toEqual([]);
  expect(comparisonLines(comparison)).toContain("cannot be seen: signal on kind\n");
});

test("a listed difference is known, and a listed difference that did not occur fails", () => {
  const [mine, theirs] = [run("local", LIFE), run("kind", LIFE.replace("signal SIGKILL > ", ""))];
  const known = line("signal SIGKILL");
  expect(compared(mine, theirs, known)).toMatchObject({ findings: [], named: [known] });
  expect(compared(theirs, mine, known)).toMatchObject({ findings: [], named: [known] });
  expect(compared(mine, run("kind", LIFE), known).findings).toEqual([
    `${SCENARIO}: DEVIATIONS.md names what was not there: ${known}`,
  ]);
  expect(compared(mine, theirs, line("signal SIGKILL", "kind", "local")).findings).toHaveLength(2);
});

test("runs without a scenario in common are not equal", () => {
  const { findings } = compared(run("local", LIFE), new Map());
  expect(findings).toEqual(["the two runs have no scenario in common"]);
});

test("a line about other targets is ignored", () => {
  const mine = run("local", LIFE);
  expect(compared(mine, mine, line("exit 137")).findings).toEqual([]);
});

test("a line with another form is refused", () => {
  expect(() => parseDeviations("- trace `a`: exit 1 only on kind")).toThrow("DEVIATIONS.md: not");
  expect(parseDeviations("- a difference of another kind")).toEqual([]);
});
