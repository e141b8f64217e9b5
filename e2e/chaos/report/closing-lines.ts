import { relative } from "node:path";
import { targetAndBrokerOptions } from "#e2e/base/target-and-broker-options.ts";
import type { ChaosArguments } from "#e2e/chaos/chaos-arguments.ts";
import type { Coverage } from "#e2e/chaos/coverage.ts";
import type { PlayedStep } from "#e2e/chaos/engine/played-step.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import type { ShrunkFailedRun } from "#e2e/chaos/shrink/shrink-failed-run.ts";
import type { SoakFinding } from "#e2e/chaos/soak/judge-soak.ts";
import { soakLines } from "#e2e/chaos/soak/soak-lines.ts";
import { STEADY_NUMBER } from "#e2e/chaos/engine/schedule-scenario.ts";
import { isFailed, nothingFired } from "./exit-code.ts";

export interface ChaosClosing {
  readonly chosen: Pick<ChaosArguments, "seed" | "target" | "kind" | "kubernetes" | "broker">;
  readonly results: readonly ScheduleResult[];
  readonly coverage: Pick<Coverage, "drawnTable" | "summary">;
  /** The lines that `--require-coverage` refuses. */
  readonly uncovered: readonly string[];
  readonly growth: readonly SoakFinding[];
  /** The result of shrinking the first failure; null when it was not shrunk. */
  readonly shrunk: ShrunkFailedRun | null;
  readonly artifacts: string;
  readonly wallMs: number;
}

export const NOTHING_FIRED = "no step fired, so that the run has shown nothing";

type Row = readonly [label: string, text: string];

/**
 * Returns the last lines of a run of chaos. The very last one holds only the counts of invariants.
 */
export function closingLines(closing: ChaosClosing): string {
  const { chosen, results, coverage, uncovered, growth, shrunk, artifacts, wallMs } = closing;
  const failed = results.filter((result) => isFailed(result));
  const last = results.at(-1);
  const replay = (result: ScheduleResult): string =>
    replayCommand(`${result.directory}/schedule.json`, chosen);
  const rows: Row[] = [
    ["coverage", coverage.summary],
    ...uncovered.map((text): Row => ["", text]),
    ["schedules", countText(results)],
    ...(nothingFired(results) ? ([["FAIL", NOTHING_FIRED]] satisfies Row[]) : []),
    ...failed.flatMap((result): Row[] => [
      ["FAIL", `#${result.number} seed ${result.schedule.seed}: ${reasonOf(result)}`],
      ["replay", replay(result)],
    ]),
    ...(shrunk === null
      ? []
      : ([
          ["shrunk", shrunk.summary],
          ["replay", replayCommand(shrunk.file, chosen)],
        ] satisfies Row[])),
    ["wall time", `${(wallMs / 1000).toFixed(1)} s`],
    ["artifacts", artifacts],
    ["seed", String(chosen.seed)],
    ...(failed.length > 0 || last === undefined
      ? []
      : ([["replay", replay(last)]] satisfies Row[])),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const lines = rows.map(([label, text]) => `${label.padEnd(width)}  ${text}`);
  const tables = [coverage.drawnTable, soakLines(growth).join("\n")].flatMap((table) =>
    table === "" ? [] : [table, ""],
  );
  return ["", ...tables, ...lines, invariantCounts(results), ""].join("\n");
}

/**
 * Returns a command to be pasted in the directory in which the run was started, or anywhere below
 * the project.
 */
function replayCommand(
  file: string,
  chosen: Pick<ChaosArguments, "target" | "kind" | "kubernetes" | "broker">,
): string {
  const inside = relative(process.cwd(), file);
  const path = inside.startsWith("..") ? file : inside;
  return ["npm run e2e -- replay", shellWord(path), ...targetAndBrokerOptions(chosen)].join(" ");
}

/** Quotes a text so that a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function countText(results: readonly ScheduleResult[]): string {
  const total = results.reduce((sum, { schedule }) => sum + schedule.steps.length, 0);
  const played = results.flatMap((result) => result.steps);
  const count = (outcome: PlayedStep["outcome"]): number =>
    played.filter((step) => step.outcome === outcome).length;
  const [fired, missed, silent] = [count("fired"), count("missed"), count("never-fired")];
  const open = total - fired - missed - silent;
  return [
    `${results.filter(({ number }) => number !== STEADY_NUMBER).length}, with ${total} steps: ${fired} fired`,
    ...(missed === 0 ? [] : [`${missed} missed`]),
    ...(silent === 0 ? [] : [`${silent} never fired`]),
    ...(open === 0 ? [] : [`${open} not played`]),
  ].join(", ");
}

/** Returns what broke, or why it could not be judged. */
function reasonOf({ verdict, scenario }: ScheduleResult): string {
  const names = (verdict?.verdicts ?? [])
    .filter(({ status }) => status === "broken" || status === "unknown")
    .map(({ status, invariant }) => (status === "broken" ? invariant : `${invariant} (unknown)`));
  if (names.length > 0) return names.join(", ");
  return scenario.failure?.kind ?? "there is no verdict";
}

/**
 * Counts the invariants that passed, which held in every schedule that judged them, and those that
 * failed.
 */
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
