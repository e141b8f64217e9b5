import type { EventContext, PlayEvent } from "./event-context.ts";
import { machineOfProcess } from "./machines.ts";

/** The names of events of the topic and the group. */
export type GroupEvent = "produce" | "republish" | "rebalance" | "session end" | "offset reset";

/** Returns the events of the topic and the group. */
export function groupEvents({
  cluster,
  dead,
  paused,
  produce,
  append,
  rebalance,
}: EventContext): Record<GroupEvent, PlayEvent> {
  const { broker } = cluster;
  return {
    produce: (random) => (produce(random), ""),
    republish(random) {
      const partition = random.below(broker.partitions.length);
      const record = random.pick(broker.partitions[partition]?.log ?? []);
      if (!record?.value) return undefined;
      append(partition, record.value);
      return "";
    },
    rebalance: (random) => (rebalance(random), ""),
    "session end"(random) {
      const gone = dead.shift();
      if (gone) {
        broker.leave(gone);
        rebalance(random);
        return gone;
      }
      // A process that is paused for too long loses its partitions and does not know it.
      const who = random.choose([...paused], machineOfProcess);
      const others = broker.members.filter((member) => member !== who);
      if (!who || others.length === 0) return undefined;
      broker.rebalance(
        broker.partitions.map(({ owner }) =>
          owner === who ? random.choose(others, machineOfProcess) : owner,
        ),
      );
      return who;
    },
    "offset reset"(random) {
      const partition = random.below(broker.partitions.length);
      const to = random.below((broker.partitions[partition]?.committed ?? 0) + 1);
      broker.resetOffset(partition, to);
      return `${partition} to ${to}`;
    },
  };
}
