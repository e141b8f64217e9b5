import { UsageError } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { discoverScenarios } from "./discover.ts";

/** Every scenario of the folders beside this file, by number. */
export const SCENARIOS: readonly Scenario[] = await discoverScenarios(import.meta.dirname);

/**
 * Returns the scenarios with the given numbers or names, and all of them when none is given. Throws UsageError for one
 * that does not exist.
 */
export function selectScenarios(wanted: readonly string[]): readonly Scenario[] {
  const unknown = wanted.filter((text) => !SCENARIOS.some((scenario) => isNamed(scenario, text)));
  if (unknown.length > 0) {
    throw new UsageError(`no scenario ${unknown.join(", ")}; npm run e2e -- list shows all`);
  }
  if (wanted.length === 0) return SCENARIOS;
  return SCENARIOS.filter((scenario) => wanted.some((text) => isNamed(scenario, text)));
}

function isNamed(scenario: Scenario, text: string): boolean {
  return text === scenario.name || (/^\d+$/.test(text) && Number(text) === scenario.number);
}
