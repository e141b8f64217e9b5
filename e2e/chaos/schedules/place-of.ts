import { BROKER_ABILITIES } from "../../brokers/broker-abilities.ts";
import type { PlaceArguments } from "../../cli/place-arguments.ts";
import { TARGET_ABILITIES } from "../../targets/target-abilities.ts";
import type { SchedulePlace } from "../schedules/rules.ts";

/** What a schedule may ask of target and broker. It is known from the arguments alone, so that nothing is started for a schedule that is refused. */
export function placeOf({
  target,
  broker,
}: Pick<PlaceArguments, "target" | "broker">): SchedulePlace {
  return {
    abilities: new Set([...TARGET_ABILITIES[target], ...BROKER_ABILITIES[broker.kind]]),
    where: `the target ${target} with the broker ${broker.kind}`,
  };
}
