import { escapeXml } from "./xml.ts";
import type { ScenarioResult } from "#e2e/runner/run-scenarios.ts";
import { scenarioId } from "#e2e/runner/scenario.ts";

/** Renders the results as JUnit XML: one suite, with one case per scenario. Interrupted scenarios count as skipped. */
export function junitReport(
  results: readonly ScenarioResult[],
  properties: Record<string, string>,
): string {
  const count = (status: ScenarioResult["status"]): number =>
    results.filter((result) => result.status === status).length;
  const timeMs = results.reduce((sum, result) => sum + result.durationMs, 0);
  const counts =
    `tests="${results.length}" failures="${count("failed")}" errors="0" ` +
    `skipped="${count("interrupted") + count("skipped")}" time="${seconds(timeMs)}"`;
  const listed = Object.entries(properties).map(
    ([name, value]) => `      <property name="${escapeXml(name)}" value="${escapeXml(value)}"/>\n`,
  );
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${counts}>\n` +
    `  <testsuite name="pod lifecycle" ${counts}>\n    <properties>\n${listed.join("")}    </properties>\n` +
    results.map(testCase).join("") +
    `  </testsuite>\n</testsuites>\n`
  );
}

function testCase(result: ScenarioResult): string {
  const open =
    `    <testcase classname="e2e" name="${escapeXml(scenarioId(result.scenario))}" ` +
    `time="${seconds(result.durationMs)}"`;
  if (result.status === "interrupted" || result.status === "skipped") {
    const reason = result.reason ?? result.status;
    return `${open}><skipped message="${escapeXml(reason)}"/></testcase>\n`;
  }
  if (result.failure === undefined) return `${open}/>\n`;
  const { kind, error } = result.failure;
  return (
    `${open}>\n      <failure type="${kind}" message="${escapeXml(error.message)}">` +
    `${escapeXml(error.stack ?? error.message)}</failure>\n    </testcase>\n`
  );
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(3);
}
