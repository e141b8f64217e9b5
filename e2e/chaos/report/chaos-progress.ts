import { LiveBlock } from "#e2e/report/live-block.ts";
import type { Line, Span, Terminal } from "#e2e/report/live-block.ts";
import type { PlayedStep } from "#e2e/chaos/engine/played-step.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import type { ScheduleProgress } from "#e2e/chaos/engine/schedule-scenario.ts";
import { isBroken, isFailed } from "./exit-code.ts";
import { podSourceOf, PodWatch } from "./pod-watch.ts";
import { scheduleLines } from "./schedule-lines.ts";

/** The interval at which the state of running schedules is read. */
const LOOK_INTERVAL_MS = 125;

/** A running schedule. */
interface Watched {
  readonly startedMs: number;
  progress: ScheduleProgress;
  pods: PodWatch | null;
}

/**
 * Shows a run of chaos while it works: one line for each schedule that has ended and, on a
 * terminal, lines that change for each running one and its pods. Elsewhere every step is a line.
 */
export class ChaosProgress implements Disposable {
  readonly #block: LiveBlock;
  /** The running schedules by name, such as `#1`, in the order in which they began. */
  readonly #watched = new Map<string, Watched>();
  /** The outcomes of steps that were shown, by the name of the schedule. */
  readonly #shown = new Map<string, Map<number, string>>();
  #timer: NodeJS.Timeout | null = null;

  /** `signal` aborts on ^C. */
  constructor(terminal: Terminal, signal: AbortSignal) {
    this.#block = new LiveBlock(terminal, { signal });
  }

  line(text: string): void {
    this.#block.line(text);
  }

  /** Shows how far a schedule has come, and its steps that were not shown before. */
  show(name: string, progress: ScheduleProgress): void {
    if (this.#block.isLive) this.watch(name, progress);
    else this.#tellSteps(name, progress);
  }

  /** Shows how far a schedule has come, where lines can change. */
  watch(name: string, progress: ScheduleProgress): void {
    if (!this.#block.isLive) return;
    const watched = this.#watched.get(name) ?? {
      startedMs: performance.now(),
      progress,
      pods: null,
    };
    watched.progress = progress;
    if (progress.deployment !== null) {
      watched.pods ??= new PodWatch(podSourceOf(progress.deployment));
    }
    this.#watched.set(name, watched);
    this.#timer ??= setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
  }

  /** Removes a schedule whose result is not shown. */
  forget(name: string): void {
    this.#watched.delete(name);
    this.#draw();
  }

  ended(result: ScheduleResult): void {
    const { verdict, scenario } = result;
    this.#watched.delete(`#${result.number}`);
    this.#draw();
    this.#block.line(endLine(result));
    for (const { invariant, status, findings, reason } of verdict?.verdicts ?? []) {
      if (status === "holds" || status === "not-judged") continue;
      const text = `: ${reason ?? findings[0]?.message ?? ""}`;
      this.#block.line([{ text: `     ${status} ${invariant}`, style: "red" }, { text }]);
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

  /** Ends all changes on the terminal. */
  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#watched.clear();
    this.#block.end();
  }

  [Symbol.dispose](): void {
    this.end();
  }

  #tellSteps(name: string, { steps, published }: ScheduleProgress): void {
    const shown = this.#shown.get(name) ?? new Map<number, string>();
    this.#shown.set(name, shown);
    for (const step of steps) {
      if (step.outcome === "open" || shown.get(step.number) === step.outcome) continue;
      shown.set(step.number, step.outcome);
      this.line(
        `  ${name} step ${step.number}/${steps.length}: ${stepText(step)} (${published} records)`,
      );
    }
  }

  #look(): void {
    for (const { pods, progress } of this.#watched.values()) {
      if (progress.phase !== "ended") void pods?.look(performance.now());
    }
    this.#draw();
  }

  #draw(): void {
    this.#block.show(
      [...this.#watched].flatMap(([name, { startedMs, progress, pods }]) =>
        scheduleLines({
          name,
          progress,
          elapsedMs: performance.now() - startedMs,
          pods: pods?.states ?? [],
        }),
      ),
    );
  }
}

function endLine(result: ScheduleResult): Line {
  const { number, schedule, scenario, steps, published } = result;
  const count = (outcome: PlayedStep["outcome"]): number =>
    steps.filter((step) => step.outcome === outcome).length;
  const missed = count("missed") === 0 ? "" : `, ${count("missed")} missed`;
  const seconds = (scenario.durationMs / 1000).toFixed(1);
  return [
    markOf(result),
    {
      text:
        ` #${number} seed ${schedule.seed}: ${count("fired")} of ${schedule.steps.length} steps ` +
        `fired${missed}, ${published} records (${seconds} s)`,
    },
  ];
}

function markOf(result: ScheduleResult): Span {
  if (isFailed(result)) return { text: "FAIL", style: "red" };
  if (result.scenario.status === "interrupted") return { text: "--  ", style: "yellow" };
  return { text: "ok  ", style: "green" };
}

function stepText({ trigger, fault, outcome, reason, pod, fired }: PlayedStep): string {
  const where = pod === null ? "" : ` on ${pod}`;
  const why = reason ?? fired ?? "";
  return `${outcome} ${fault}${where} at ${trigger}${why === "" ? "" : `: ${why}`}`;
}
