import type { Terminal } from "../../report/live-block.ts";
import type { PlayedStep } from "../engine/played-step.ts";
import type { ScheduleResult } from "../engine/run-schedule.ts";
import type { ScheduleProgress } from "../engine/schedule-scenario.ts";
import { isBroken, isFailed } from "./exit-code.ts";

/** Shows a run of chaos while it works: a line for each step that was played, and one for each schedule that ended. */
export class ChaosProgress {
  readonly #terminal: Terminal;
  /** The outcomes that were shown, by number of the schedule. */
  readonly #shown = new Map<number, Map<number, string>>();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  line(text: string): void {
    this.#terminal.write(`${text}\n`);
  }

  show(number: number, { steps, published }: ScheduleProgress): void {
    const shown = this.#shown.get(number) ?? new Map<number, string>();
    this.#shown.set(number, shown);
    for (const step of steps) {
      if (step.outcome === "open" || shown.get(step.number) === step.outcome) continue;
      shown.set(step.number, step.outcome);
      this.line(
        `  #${number} step ${step.number}/${steps.length}: ${stepText(step)} (${published} records)`,
      );
    }
  }

  ended(result: ScheduleResult): void {
    const { number, schedule, scenario, verdict, steps, published } = result;
    const mark = isFailed(result) ? "FAIL" : scenario.status === "interrupted" ? "--  " : "ok  ";
    const struck = steps.filter(({ outcome }) => outcome === "struck").length;
    const seconds = (scenario.durationMs / 1000).toFixed(1);
    this.line(
      `${mark} #${number} seed ${schedule.seed}: ${struck} of ${schedule.steps.length} steps struck, ${published} records (${seconds} s)`,
    );
    for (const { invariant, status, findings, reason } of verdict?.verdicts ?? []) {
      if (status === "holds" || status === "not-judged") continue;
      this.line(`     ${status} ${invariant}: ${reason ?? findings[0]?.message ?? ""}`);
      if (findings.length > 1) this.line(`     and ${findings.length - 1} more in verdict.json`);
    }
    if (verdict === null && scenario.status === "passed") {
      this.line("     unknown: there is no verdict");
    }
    if (scenario.failure !== undefined && !isBroken(result)) {
      this.line(`     ${scenario.failure.kind}: ${scenario.failure.error.message}`);
    }
    if (isFailed(result)) this.line(`     ${result.directory}`);
  }

  end(): void {
    // Nothing changes on the terminal: every line stays.
  }
}

function stepText({ trigger, fault, outcome, reason, pod, fired }: PlayedStep): string {
  const where = pod === null ? "" : ` on ${pod}`;
  const why = reason ?? fired ?? "";
  return `${outcome} ${fault}${where} at ${trigger}${why === "" ? "" : `: ${why}`}`;
}
