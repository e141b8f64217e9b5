import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Ability } from "../abilities.ts";
import { scenarioId } from "../scenario.ts";
import { SCENARIOS } from "./index.ts";

/** What a scenario calls -> the abilities of which one at least it must need. */
const USES: readonly (readonly [RegExp, readonly Ability[]])[] = [
  [/\.addFault\(/, ["fault-rules"]],
  [/broker\.rebalance\(/, ["forced-rebalance"]],
  [/broker\.group\(/, ["forced-rebalance", "broker-nodes"]],
  [/\.moveLeader\(/, ["broker-nodes"]],
  [/broker\.(restart|killNode|startNode)\(/, ["broker-connections", "broker-nodes"]],
  [/\.setPassword\(/, ["broker-users"]],
];

test.each(SCENARIOS.map((scenario) => [scenarioId(scenario), scenario] as const))(
  "%s needs what it uses, and takes its names from the stage",
  async (id, { needs = [] }) => {
    const source = await readFile(join(import.meta.dirname, `${id}.ts`), "utf8");
    for (const [use, abilities] of USES) {
      if (use.test(source)) expect(abilities.some((ability) => needs.includes(ability))).toBe(true);
    }
    // What can be left out where a broker does not tell it says so itself.
    const isGuarded = /abilities\.has\("broker-/.test(source);
    const telling = ["broker-connections", "broker-requests"] as const;
    if (source.includes(".clientActivity(") && !isGuarded) {
      expect(telling.some((ability) => needs.includes(ability))).toBe(true);
    }
    // Several stages may share a broker: only the stage knows its own.
    expect(source).not.toMatch(/\bNAMES\.(topic|deadLetterTopic|group|username)\b/);
  },
);
