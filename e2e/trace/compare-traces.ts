import { isAbout } from "./deviations.ts";
import type { Deviation } from "./deviations.ts";
import { differences } from "./differences.ts";
import type { Trace } from "./trace-file.ts";

export interface Comparison {
  /** Scenarios that both runs have. */
  readonly compared: readonly string[];
  /** Of what they have alone. */
  readonly alone: readonly string[];
  /** What one of the targets cannot see, by target. */
  readonly unseen: readonly string[];
  /** Differences that no line names, and lines without their difference: what must not be. */
  readonly findings: readonly string[];
  /** Lines that name a difference that was there. */
  readonly named: readonly string[];
}

type Traces = ReadonlyMap<string, Trace>;

/** Holds the traces of two runs against each other, scenario by scenario. */
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

/** For the terminal; the last line says how many scenarios are equal. */
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
