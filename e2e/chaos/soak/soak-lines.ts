import { MEASURED_MS_MIN, WARM_UP_MS } from "./bounds.ts";
import type { SoakFinding } from "./judge-soak.ts";
import type { Measure } from "./sample.ts";

const MEASURE_NAMES: Readonly<Record<Measure, string>> = {
  residentBytes: "memory",
  heapBytes: "heap",
  externalBytes: "buffers",
  openFiles: "open files",
  claims: "claims",
  outcomes: "outcomes",
  journals: "journals",
  snapshots: "snapshots",
};

const MARKS: Readonly<Record<SoakFinding["status"], string>> = {
  holds: "ok  ",
  broken: "FAIL",
  "not-judged": "--  ",
};

/**
 * Returns a line for each measure: the first value, the last one, the highest, and the growth with
 * its bound.
 */
export function soakLines(findings: readonly SoakFinding[]): string[] {
  const growth = findings.filter(({ bound }) => bound.of === "per-hour");
  const isShort = growth.length > 0 && growth.every(({ status }) => status === "not-judged");
  const shown = isShort ? findings.filter((finding) => !growth.includes(finding)) : findings;
  const lines = shown.map((finding) => {
    const name = measureName(finding).padEnd(17);
    return `${MARKS[finding.status]} ${name} ${describeFinding(finding)}`;
  });
  return isShort ? [`--   growth            not judged: ${TOO_SHORT}`, ...lines] : lines;
}

const TOO_SHORT = `a process must live for ${(WARM_UP_MS + MEASURED_MS_MIN) / 60_000} minutes`;

/** Returns a name such as `pod memory`. */
export function measureName({ kind, measure }: Pick<SoakFinding, "kind" | "measure">): string {
  return `${kind} ${MEASURE_NAMES[measure]}`;
}

/** Describes what was measured and the result in one line. */
export function describeFinding(finding: SoakFinding): string {
  const { measure, subjects, first, last, peak, perHour, bound, reason } = finding;
  if (subjects === 0) return `not judged: ${reason}`;
  const amount = (value: number): string => amountOf(measure, value);
  const per = bound.of === "per-hour" ? " an hour" : "";
  const sign = perHour !== null && perHour >= 0 ? "+" : "";
  const growth = perHour === null ? "" : `, ${sign}${amount(perHour)} an hour`;
  const status = finding.status === "not-judged" ? `, not judged: ${reason}` : "";
  const broken = finding.status === "broken" ? `: ${reason}` : "";
  return (
    `${amount(first)} to ${amount(last)}, peak ${amount(peak)}${growth} (at most ${amount(bound.max)}${per}; ` +
    `${ofHow(finding)})${status}${broken}`
  );
}

function ofHow({ kind, subjects, judged }: SoakFinding): string {
  if (kind === "runner") return "one process";
  if (kind === "volume") return `of ${subjects} volumes`;
  return `${judged} of ${subjects} processes judged`;
}

const MIB = 2 ** 20;

function amountOf(measure: Measure, value: number): string {
  if (measure.endsWith("Bytes")) {
    return `${(value / MIB).toFixed(1)} MiB`;
  }
  return String(Math.round(value * 10) / 10);
}
