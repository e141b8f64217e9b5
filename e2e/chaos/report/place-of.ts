import type { ChaosSession } from "../engine/chaos-session.ts";
import type { SchedulePlace } from "../schedules/rules.ts";

/** For messages, and for what a schedule may ask of target and broker. */
export function placeOf({ run, brokers, abilities }: ChaosSession): SchedulePlace {
  return { abilities, where: `the target ${run.target} with the broker ${brokers.kind}` };
}
