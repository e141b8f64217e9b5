import type { Ability } from "#e2e/base/abilities.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { TestDeployment, DeploymentOptions } from "#e2e/deployment/test-deployment.ts";

export interface ScenarioContext {
  /** Aborts at ^C, and when the scenario's own time is over. */
  readonly signal: AbortSignal;
  readonly durations: Durations;
  /** A stream of this scenario alone, from the seed of the run. */
  readonly random: SeededRandom;
  /** Deploys the application together with services of its own. The runner takes all of it down, also after a failure or ^C. */
  readonly deploy: (options?: DeploymentOptions) => Promise<TestDeployment>;
  /** Says in the timeline and on the terminal what the scenario does next. */
  readonly step: (text: string) => void;
}

export interface Scenario {
  readonly number: number;
  /** Words joined by `-`. */
  readonly name: string;
  /** One sentence: what holds when it passes. */
  readonly title: string;
  /** Without one of them it is skipped, with the reason. Default: none. */
  readonly needs?: readonly Ability[];
  /** Default: `durations.scenarioMsMax`. */
  readonly timeoutMs?: (durations: Durations) => number;
  /** Takes much longer than others: begun first, so that it does not end the run alone. Default false. */
  readonly long?: boolean;
  /** Disturbs what others may use, such as a node: it runs when all others have ended. Default false. */
  readonly alone?: boolean;
  /** Throws ExpectationError or FaultNeverFiredError; anything else counts as broken infrastructure. */
  readonly run: (context: ScenarioContext) => Promise<void>;
}

/** Sorts and names artifacts: `08-sigkill-at-a-barrier`. */
export function scenarioId(scenario: Pick<Scenario, "number" | "name">): string {
  return `${String(scenario.number).padStart(2, "0")}-${scenario.name}`;
}
