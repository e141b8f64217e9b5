import type { StepRandom } from "#simulator/model/step-random.ts";
import type { EventContext, PlayEvent } from "./event-context.ts";
import { itself } from "./machines.ts";

/** The names of orders of an operator. */
export type OrderEvent = "order to pause" | "order to resume";

/** The probability that a pod is killed at the moment at which an order is durable. */
const KILL_RATE = 0.3;

/** Returns the orders of an operator to pause all actions and to resume them. */
export function orderEvents({ cluster, crash }: EventContext): Record<OrderEvent, PlayEvent> {
  const { counts, pods, workPause } = cluster;

  const order = async (paused: boolean, random: StepRandom): Promise<string | undefined> => {
    const id = orderId(random);
    const kills = random.next() < KILL_RATE;
    const machine = random.choose([...pods.keys()], itself);
    if (workPause.isPaused === paused) return undefined;
    await workPause.order(paused, id);
    if (!kills || !machine) return "";
    counts.add("crashes", paused ? "at an order to pause" : "at an order to resume");
    crash(machine);
    return `and ${machine} dies`;
  };

  return {
    "order to pause": (random) => order(true, random),
    "order to resume": (random) => order(false, random),
  };
}

function orderId(random: StepRandom): string {
  const words = Array.from({ length: 4 }, () => random.below(2 ** 32));
  return words.map((word) => word.toString(16).padStart(8, "0")).join("");
}
