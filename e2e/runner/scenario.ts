import type { Ability } from "#e2e/base/abilities.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { DeploymentOptions } from "#e2e/deployment/deployment-options.ts";

export interface ScenarioContext {
  /** Aborts at ^C, and when the scenario's own time is over. */
  readonly signal: AbortSignal;
  readonly durations: Durations;
  /** A stream of random numbers of this scenario alone, derived from the seed of the run. */
  readonly random: SeededRandom;
  /**
   * Deploys the application together with services of its own. The runner takes all of it down, even after a failure or
   * ^C.
   */
  readonly deploy: (options?: DeploymentOptions) => Promise<TestDeployment>;
  /** Announces the next step of the scenario in the timeline and on the terminal. */
  readonly step: (text: string) => void;
}

export interface Scenario {
  readonly number: number;
  /** The name of the scenario: words joined by `-`. */
  readonly name: string;
  /** One sentence that says what holds when the scenario passes. */
  readonly title: string;
  /** The abilities without which the scenario is skipped. Defaults to none. */
  readonly needs?: readonly Ability[];
  /** The longest time that the scenario may take. Defaults to `durations.scenarioMsMax`. */
  readonly timeoutMs?: (durations: Durations) => number;
  /**
   * True when the scenario takes much longer than others. It then starts early, so that the run does not end with this
   * scenario alone. Defaults to false.
   */
  readonly long?: boolean;
  /**
   * True when the scenario disturbs what others use, such as a node. It then runs after all others. Defaults to false.
   */
  readonly alone?: boolean;
  /**
   * Runs the scenario. Throws ExpectationError or FaultNeverFiredError; any other error counts as broken
   * infrastructure.
   */
  readonly run: (context: ScenarioContext) => Promise<void>;
}

/** Returns the id of a scenario, such as `08-sigkill-at-a-barrier`, by which artifacts are sorted and named. */
export function scenarioId(scenario: Pick<Scenario, "number" | "name">): string {
  return `${String(scenario.number).padStart(2, "0")}-${scenario.name}`;
}
