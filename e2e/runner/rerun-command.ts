import type { RunArguments } from "#e2e/base/run-arguments.ts";
import { targetAndBrokerOptions } from "#e2e/base/target-and-broker-options.ts";
import type { ScenarioResult } from "./run-scenarios.ts";

/**
 * Returns the command that repeats the run. If some scenarios passed and others did not, it selects only the latter.
 */
export function rerunCommand(
  chosen: Pick<
    RunArguments,
    | "seed"
    | "scenarios"
    | "jobs"
    | "realTime"
    | "target"
    | "kind"
    | "kubernetes"
    | "compare"
    | "broker"
    | "configuration"
  >,
  results: readonly ScenarioResult[],
): string {
  const open = results.filter(
    (result) => result.status === "failed" || result.status === "interrupted",
  );
  const scenarios =
    open.length === 0 || open.length === results.length
      ? chosen.scenarios
      : open.map(({ scenario }) => scenario.number).filter((number) => number > 0);
  return [
    `npm run e2e -- --seed ${chosen.seed}`,
    ...configurationOptions(chosen.configuration),
    ...scenarios.map((scenario) => `--scenario ${scenario}`),
    ...(chosen.jobs === null ? [] : [`--jobs ${chosen.jobs}`]),
    ...(chosen.realTime ? ["--real-time"] : []),
    ...(chosen.compare === null ? [] : [`--compare ${chosen.compare}`]),
    ...targetAndBrokerOptions(chosen),
  ].join(" ");
}

/** The scenario of a configuration is selected by its file and not by its number. */
function configurationOptions(configuration: RunArguments["configuration"]): string[] {
  if (configuration === undefined) return [];
  const { file, incidents, job } = configuration;
  return [`--config ${file}`, ...incidents.map((path) => `--incidents ${path}`), `--job ${job}`];
}
