import type { RunEvent } from "#e2e/base/events.ts";
import type { ScenarioResult } from "#e2e/runner/run-scenarios.ts";
import { scenarioId } from "#e2e/runner/scenario.ts";
import type { LiveBlock } from "./live-block.ts";

/**
 * Shows the progress of a run: one line per scenario that ended and, on a terminal, one line that shows the running
 * scenarios. Without a terminal every step is a plain line.
 */
export class Progress {
  readonly #block: LiveBlock;
  readonly #total: number;
  readonly #running = new Map<string, string>();
  #ended = 0;

  constructor(block: LiveBlock, total: number) {
    this.#block = block;
    this.#total = total;
  }

  show(event: RunEvent): void {
    if (event.event === "deployment.kept") this.#kept(event);
    if (event.event === "deployment.logs") this.#logs(event);
    if (event.source !== "scenario" || event.scenario === null) return;
    const { scenario, fields } = event;
    switch (event.event) {
      case "scenario.started":
        this.#running.set(scenario, "");
        break;
      case "scenario.step":
        this.#step(scenario, fields.text);
        break;
      case "scenario.passed":
      case "scenario.failed":
      case "scenario.interrupted":
      case "scenario.skipped":
        this.#end(scenario, event.event.slice("scenario.".length), fields);
        break;
      default:
        return;
    }
    this.#status();
  }

  /** Writes a line above the changing one. */
  line(text: string): void {
    this.#block.line(text);
  }

  #kept({ scenario, fields }: RunEvent): void {
    if (typeof fields.directory === "string") {
      this.line(
        `     ${scenario}: kept ${fields.directory} ` +
          "(npm run e2e -- clean removes it, and those of all other ended runs)",
      );
    }
  }

  #logs({ scenario, fields }: RunEvent): void {
    if (typeof fields.directory === "string") {
      this.line(`     ${scenario}: logs ${fields.directory}`);
    }
  }

  #step(scenario: string, text: unknown): void {
    if (typeof text !== "string") return;
    this.#running.set(scenario, text);
    if (!this.#block.isLive) this.line(`     ${scenario}: ${text}`);
  }

  #end(scenario: string, status: string, fields: RunEvent["fields"]): void {
    this.#running.delete(scenario);
    this.#ended += 1;
    if (status === "skipped") {
      this.line(`skip ${scenario}: ${String(fields.message)}`);
      return;
    }
    const mark = status === "passed" ? "ok  " : status === "failed" ? "FAIL" : "--  ";
    const seconds = (Number(fields.durationMs ?? 0) / 1000).toFixed(1);
    this.line(`${mark} ${scenario} (${seconds} s)`);
    if (typeof fields.message === "string") this.line(`     ${fields.message}`);
  }

  #status(): void {
    const running = [...this.#running].map(([name, step]) =>
      step === "" ? name : `${name}: ${step}`,
    );
    this.#block.show([[{ text: `${this.#ended}/${this.#total} ${running.join(" | ")}` }]]);
  }
}

export interface Closing {
  readonly results: readonly ScenarioResult[];
  readonly seed: number;
  readonly rerun: string;
  readonly artifacts: string;
  readonly wallMs: number;
}

/** Returns the last lines of a run. The very last line holds only the counts. */
export function closingLines(closing: Closing): string {
  const failed = closing.results.filter((result) => result.status === "failed");
  const count = (status: ScenarioResult["status"]): number =>
    closing.results.filter((result) => result.status === status).length;
  const [passed, interrupted, skipped] = [count("passed"), count("interrupted"), count("skipped")];
  const failures = failed.map(
    (result) =>
      `${scenarioId(result.scenario)}: ${result.failure?.kind}: ${result.failure?.error.message}\n`,
  );
  return (
    `\n${failures.join("")}` +
    (interrupted > 0 ? `${interrupted} not finished: interrupted\n` : "") +
    (skipped > 0 ? `${skipped} skipped, each with its reason above\n` : "") +
    (skipped > 0 && skipped === closing.results.length
      ? "nothing was run: every scenario was skipped\n"
      : "") +
    `wall time ${(closing.wallMs / 1000).toFixed(1)} s\n` +
    `artifacts ${closing.artifacts}\n` +
    `seed ${closing.seed}\n` +
    `again: ${closing.rerun}\n` +
    `${passed} passed, ${failed.length} failed\n`
  );
}
