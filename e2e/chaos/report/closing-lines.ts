import { placeOptions } from "../../cli/place-arguments.ts";
import type { ChaosArguments } from "../../cli/chaos-arguments.ts";
import type { Coverage } from "../coverage.ts";
import type { ScheduleResult } from "../engine/run-schedule.ts";
import type { SoakFinding } from "../soak/judge-soak.ts";
import { soakLines } from "../soak/soak-lines.ts";
import { isFailed } from "./exit-code.ts";

export interface ChaosClosing {
  readonly chosen: Pick<ChaosArguments, "seed" | "target" | "kind" | "kubernetes" | "broker">;
  readonly results: readonly ScheduleResult[];
  readonly coverage: Coverage;
  /** What `--require-coverage` refuses. */
  readonly uncovered: readonly string[];
  readonly growth: readonly SoakFinding[];
  /** What shrinking the first failure gave; null: it was not shrunk. */
  readonly shrunk: string | null;
  readonly artifacts: string;
  readonly wallMs: number;
}

/** The last lines of a run of chaos; the counts of invariants stand alone on the very last one. */
export function closingLines(closing: ChaosClosing): string {
  const { chosen, results, coverage, uncovered, growth, shrunk, artifacts, wallMs } = closing;
  const failed = results.filter((result) => isFailed(result));
  const place = placeOptions(chosen);
  const again = (result: ScheduleResult): string =>
    ["again: npm run e2e -- replay", `${result.directory}/schedule.json`, ...place].join(" ");
  const steps = results.flatMap((result) => result.steps);
  const count = (outcome: string): number =>
    steps.filter((step) => step.outcome === outcome).length;
  return [
    "",
    coverage.table,
    "",
    coverage.summary,
    ...uncovered,
    "",
    ...soakLines(growth),
    "",
    `${results.length} schedules, ${steps.length} steps: ${count("struck")} struck, ${count("missed")} missed, ${count("never-fired")} never fired, ${count("open")} not played`,
    ...failed.flatMap((result) => [`schedule ${result.schedule.seed} failed`, again(result)]),
    ...(shrunk === null ? [] : [shrunk]),
    `wall time ${(wallMs / 1000).toFixed(1)} s`,
    `artifacts ${artifacts}`,
    `seed ${chosen.seed}`,
    ...(failed.length === 0 ? results.slice(-1).map((result) => again(result)) : []),
    invariantCounts(results),
    "",
  ].join("\n");
}

/** An invariant that held in every schedule which judged it has passed. */
export function invariantCounts(results: readonly ScheduleResult[]): string {
  const judged = new Map<string, boolean>();
  for (const { verdict } of results) {
    for (const { invariant, status } of verdict?.verdicts ?? []) {
      if (status === "not-judged") continue;
      judged.set(invariant, (judged.get(invariant) ?? true) && status === "holds");
    }
  }
  const passed = [...judged.values()].filter(Boolean).length;
  const unplayed = results.filter(
    (result) =>
      isFailed(result) &&
      (result.verdict?.verdicts ?? []).every(
        ({ status }) => status === "holds" || status === "not-judged",
      ),
  ).length;
  return `${passed} passed, ${judged.size - passed + unplayed} failed`;
}
