import type { ChaosArguments } from "#e2e/chaos/chaos-arguments.ts";
import { EXIT_CODE, UsageError } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import type { Terminal } from "#e2e/report/live-block.ts";
import { ChaosProgress } from "#e2e/chaos/report/chaos-progress.ts";
import { makeArtifacts, reportLeaks } from "#e2e/chaos/report/run-artifacts.ts";
import { drawSchedule } from "#e2e/chaos/draw-schedule.ts";
import { environmentOf } from "#e2e/chaos/schedules/schedule-environment.ts";
import { selectFaults } from "#e2e/chaos/schedules/select-faults.ts";
import { PLANTED_FAULTS } from "./planted-faults.ts";
import type { PlantedFault } from "./planted-faults.ts";
import { proofCount, proveFaults } from "./proofs.ts";
import type { Proof } from "./proofs.ts";
import { CopyProver } from "./copy-prover.ts";

export interface RunProveOptions {
  readonly arguments: ChaosArguments;
  readonly terminal: Terminal;
  /** Aborted by ^C. */
  readonly signal: AbortSignal;
}

const MARK: Readonly<Record<Proof["status"], string>> = {
  passed: "ok  ",
  failed: "FAIL",
  interrupted: "--  ",
};

/**
 * Runs the command `chaos --prove`: plants each fault in a copy of the consumer and runs it until
 * the checker that must break does.
 */
export async function runProve(options: RunProveOptions): Promise<ExitCode> {
  const { arguments: chosen, terminal, signal } = options;
  const faults = selectPlanted(chosen.prove ?? []);
  // A schedule that cannot be drawn is refused before anything is copied.
  drawSchedule({ ...chosen, ...environmentOf(chosen), faults: selectFaults(chosen.faults) });
  const artifacts = await makeArtifacts(chosen, chosen.seed);
  using progress = new ChaosProgress(terminal, signal);
  progress.line(`artifacts ${artifacts}`);
  const prover = new CopyProver({ chosen, artifacts, progress, signal });
  const proofs = await proveFaults({
    faults,
    prover,
    signal,
    onProof: ({ status, name, text }) => progress.line(`${MARK[status]} ${name}: ${text}`),
  });
  const leaks = await reportLeaks(artifacts, prover.secrets, (text) => progress.line(text));
  const count = (status: Proof["status"]): number =>
    proofs.filter((proof) => proof.status === status).length;
  const failed = count("failed") + leaks;
  const unfinished = proofCount(faults) - count("passed") - count("failed");
  progress.end();
  terminal.write(
    [
      ...(unfinished > 0 ? [`${unfinished} not finished: interrupted`] : []),
      `artifacts ${artifacts}`,
      `seed ${chosen.seed}`,
      `${count("passed")} passed, ${failed} failed`,
      "",
    ].join("\n"),
  );
  if (signal.aborted) return EXIT_CODE.interrupted;
  return failed === 0 ? EXIT_CODE.passed : EXIT_CODE.expectationBroke;
}

function selectPlanted(names: readonly string[]): readonly PlantedFault[] {
  if (names.length === 0) return PLANTED_FAULTS;
  const known = new Set(PLANTED_FAULTS.map(({ name }) => name));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `--prove must name planted faults, got ${unknown.join(", ")}; known: ${[...known].join(", ")}`,
    );
  }
  return PLANTED_FAULTS.filter(({ name }) => names.includes(name));
}
