import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Ability } from "#e2e/base/abilities.ts";
import { scenarioId } from "#e2e/runner/scenario.ts";
import { SCENARIOS } from "./index.ts";

const files = await readdir(import.meta.dirname, { recursive: true });

const TELLING: readonly Ability[] = ["broker-connections", "broker-requests"];

/** Maps each call in the source of a scenario to the abilities of which the scenario must need at least one. */
const USES: readonly (readonly [RegExp, readonly Ability[]])[] = [
  [/\.addFault\(/, ["fault-rules"]],
  [/broker\.rebalance\(/, ["forced-rebalance"]],
  [/broker\.group\(/, ["forced-rebalance", "broker-nodes"]],
  [/\.moveLeader\(/, ["broker-nodes"]],
  [/broker\.(restart|killNode|startNode)\(/, ["broker-connections", "broker-nodes"]],
  [/\.setPassword\(/, ["broker-users"]],
  [/\.clientActivity\(/, TELLING],
];

/** Matches the check of a scenario that leaves out some steps itself. */
const GUARD = /abilities\.has\("broker-/;

test.each(SCENARIOS.map((scenario) => [scenarioId(scenario), scenario] as const))(
  "%s names the abilities that it uses, and takes its names from the deployment",
  async (id, { needs = [] }) => {
    const file = files.find((path) => path.endsWith(`/${id}.ts`));
    if (file === undefined) throw new Error(`no file of ${id}`);
    const source = await readFile(join(import.meta.dirname, file), "utf8");
    const undeclared = USES.filter(
      ([use, abilities]) =>
        use.test(source) && !abilities.some((ability) => needs.includes(ability)),
    ).filter(([, abilities]) => !(abilities === TELLING && GUARD.test(source)));
    expect(undeclared).toEqual([]);
    // Several deployments may share a broker, and only the deployment knows its own names.
    expect(source).not.toMatch(/\bNAMES\.(topic|deadLetterTopic|group|username)\b/);
  },
);
