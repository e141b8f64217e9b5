import { escapeXml } from "#e2e/report/xml.ts";
import type { InvariantVerdict } from "#e2e/checkers/checker.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import { STEADY_NUMBER } from "#e2e/chaos/engine/schedule-scenario.ts";
import type { SoakFinding } from "#e2e/chaos/soak/judge-soak.ts";
import { describeFinding, measureName } from "#e2e/chaos/soak/soak-lines.ts";

/**
 * Returns JUnit XML: a suite for each schedule with a case for each invariant, which is skipped
 * where it was not judged, and a case for the schedule itself, which fails when it could not be
 * played to its end. `growth` is a suite of its own.
 */
export function junitOfInvariants(
  results: readonly ScheduleResult[],
  properties: Readonly<Record<string, string>>,
  growth: readonly SoakFinding[] = [],
): string {
  const suites = [
    ...results.map((result) => scheduleSuite(result, properties)),
    ...(growth.length === 0 ? [] : [growthSuite(growth, properties)]),
  ];
  const counts = countsOf(suites.flatMap(({ cases }) => cases));
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${counts}>\n` +
    suites.map(({ text }) => text).join("") +
    "</testsuites>\n"
  );
}

interface Case {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly type?: string;
  readonly message?: string;
}

interface Suite {
  readonly cases: readonly Case[];
  readonly text: string;
}

function scheduleSuite(
  result: ScheduleResult,
  properties: Readonly<Record<string, string>>,
): Suite {
  const { schedule, scenario, verdict } = result;
  const cases = [playedCase(result), ...(verdict?.verdicts ?? []).map(invariantCase)];
  const seed = String(schedule.seed);
  const name = result.number === STEADY_NUMBER ? "steady" : seed;
  return suiteOf(name, cases, { ...properties, schedule: seed }, scenario.durationMs);
}

function growthSuite(
  growth: readonly SoakFinding[],
  properties: Readonly<Record<string, string>>,
): Suite {
  const cases = growth.map((finding): Case => {
    const name = measureName(finding);
    const message = describeFinding(finding);
    if (finding.status === "holds") return { name, status: "passed" };
    if (finding.status === "not-judged") return { name, status: "skipped", message };
    return { name, status: "failed", type: "broken", message };
  });
  return suiteOf("growth", cases, properties, 0);
}

function suiteOf(
  name: string,
  cases: readonly Case[],
  properties: Readonly<Record<string, string>>,
  durationMs: number,
): Suite {
  const listed = Object.entries(properties).map(
    ([key, value]) => `      <property name="${escapeXml(key)}" value="${escapeXml(value)}"/>\n`,
  );
  const time = (durationMs / 1000).toFixed(3);
  const text =
    `  <testsuite name="chaos ${name}" ${countsOf(cases)} time="${time}">\n` +
    `    <properties>\n${listed.join("")}    </properties>\n` +
    cases.map((one) => caseText(one, name)).join("") +
    "  </testsuite>\n";
  return { cases, text };
}

/** Returns the case of the schedule itself, which does not repeat what the verdicts report. */
function playedCase({ scenario, verdict }: ScheduleResult): Case {
  const name = "schedule-played";
  if (scenario.status === "interrupted") return { name, status: "skipped", message: "interrupted" };
  const isJudged = verdict?.verdicts.some(
    ({ status }) => status !== "holds" && status !== "not-judged",
  );
  if (scenario.failure === undefined || isJudged === true) return { name, status: "passed" };
  const { kind, error } = scenario.failure;
  return { name, status: "failed", type: kind, message: error.message };
}

function invariantCase({ invariant: name, status, findings, reason }: InvariantVerdict): Case {
  if (status === "holds") return { name, status: "passed" };
  if (status === "not-judged") return { name, status: "skipped", message: reason ?? status };
  const message = [reason, ...findings.map((finding) => finding.message)]
    .filter(Boolean)
    .join("\n");
  return { name, status: "failed", type: status, message };
}

function caseText({ name, status, type = "", message = "" }: Case, suite: string): string {
  const open = `    <testcase classname="chaos.${suite}" name="${escapeXml(name)}"`;
  if (status === "passed") return `${open}/>\n`;
  const text = escapeXml(message);
  if (status === "skipped") return `${open}><skipped message="${text}"/></testcase>\n`;
  return `${open}><failure type="${escapeXml(type)}" message="${text}"/></testcase>\n`;
}

function countsOf(cases: readonly Case[]): string {
  const count = (status: Case["status"]): number =>
    cases.filter((one) => one.status === status).length;
  return `tests="${cases.length}" failures="${count("failed")}" errors="0" skipped="${count("skipped")}"`;
}
