import { BROKER_ABILITIES } from "#e2e/brokers/broker-abilities.ts";
import type { CommonArguments } from "#e2e/base/run-arguments.ts";
import { TARGET_ABILITIES } from "#e2e/targets/target-abilities.ts";
import type { ScheduleEnvironment } from "./rules.ts";

/**
 * Returns what a schedule may ask of target and broker. It is known from the arguments alone, so
 * that nothing is started for a schedule that is refused.
 */
export function environmentOf({
  target,
  broker,
}: Pick<CommonArguments, "target" | "broker">): ScheduleEnvironment {
  return {
    abilities: new Set([...TARGET_ABILITIES[target], ...BROKER_ABILITIES[broker.kind]]),
    description: `the target ${target} with the broker ${broker.kind}`,
  };
}
