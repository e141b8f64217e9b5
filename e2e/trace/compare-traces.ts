import { isAbout } from "./deviations.ts";
import type { Deviation } from "./deviations.ts";
import { differences } from "./differences.ts";
import type { Trace } from "./trace-file.ts";

export interface Comparison {
  /** Scenarios that both runs have. */
  readonly compared: readonly string[];
  /** Scenarios that only one of the runs has. */
  readonly alone: readonly string[];
  /** Words that one of the targets cannot see, each with its target. */
  readonly unseen: readonly string[];
  /** Differences that DEVIATIONS.md does not list, and lines of DEVIATIONS.md whose difference did not occur. */
  readonly findings: readonly string[];
  /** Lines of DEVIATIONS.md whose difference occurred. */
  readonly named: readonly string[];
}

type Traces = ReadonlyMap<string, Trace>;

/** Compares the traces of two runs, scenario by scenario. */
export function compareTraces(
  left: Traces,
  right: Traces,
  deviations: readonly Deviation[],
): Comparison {
  const findings: string[] = [];
  const named: string[] = [];
  const compared = [...left.keys()].filter((scenario) => right.has(scenario)).toSorted();
  for (const scenario of compared) {
    const [one, other] = [left.get(scenario), right.get(scenario)];
    if (one === undefined || other === undefined) continue;
    const targets = new Set([one.target, other.target]);
    const lines = deviations.filter(
      (line) =>
        line.scenario === scenario &&
        targets.size === 2 &&
        targets.has(line.only) &&
        targets.has(line.notOn),
    );
    const found = differences(one, other);
    for (const difference of found) {
      if (lines.some((line) => isAbout(line, difference))) continue;
      const { word, only, place } = difference;
      findings.push(`${scenario}: \`${word}\` only on ${only}, ${place}`);
    }
    for (const line of lines) {
      const isUsed = found.some((difference) => isAbout(line, difference));
      if (isUsed) named.push(line.line);
      else findings.push(`${scenario}: DEVIATIONS.md names what was not there: ${line.line}`);
    }
  }
  if (compared.length === 0) findings.push("the two runs have no scenario in common");
  const all = [...left.values(), ...right.values()];
  return {
    compared,
    alone: [...new Set([...left.keys(), ...right.keys()])].filter(
      (scenario) => !compared.includes(scenario),
    ),
    unseen: [
      ...new Set(all.flatMap(({ target, unseen }) => unseen.map((word) => `${word} on ${target}`))),
    ],
    findings,
    named,
  };
}

/** Renders the result for the terminal. The last line gives the number of equal scenarios. */
export function comparisonLines(comparison: Comparison): string {
  const { compared, alone, unseen, findings, named } = comparison;
  const equal = compared.filter(
    (scenario) => !findings.some((finding) => finding.startsWith(`${scenario}:`)),
  );
  return [
    ...(alone.length > 0 ? [`only in one run, not compared: ${alone.join(", ")}`] : []),
    ...(unseen.length > 0 ? [`not compared, since it cannot be seen: ${unseen.join(", ")}`] : []),
    ...named.map((line) => `known: ${line.slice(2)}`),
    ...findings.map((finding) => `FAIL trace ${finding}`),
    `traces: ${equal.length} of ${compared.length} scenarios equal\n`,
  ].join("\n");
}
