import { CODES } from "#simulator/model/schedule/faults.ts";
import type { EventContext, PlayEvent } from "./event-context.ts";
import { itself, MACHINES } from "./machines.ts";

/** The names of events of the volume. */
export type VolumeEvent = "power loss" | "outage" | "outage ends" | "late arrival";

/** Returns the events of the volume. */
export function volumeEvents({
  cluster,
  outages,
  crash,
}: EventContext): Record<VolumeEvent, PlayEvent> {
  const { absentNames, lateRequests, pods } = cluster;
  return {
    "power loss"(random) {
      for (const name of pods.keys()) crash(name);
      const laziest = random.next() < 0.5;
      if (laziest) cluster.losePower();
      else {
        cluster.losePower({
          keepsName: () => random.next() < 0.5,
          tail: (bytes) => ({
            kept: random.below(bytes + 1),
            zeros: random.below(3) === 0 ? random.below(64) : 0,
          }),
        });
      }
      for (const known of absentNames.values()) known.clear();
      return laziest ? "nothing unsynced is left" : "some of the unsynced is left";
    },
    outage(random) {
      const name = random.pick(MACHINES) ?? "a";
      outages.set(name, random.pick(CODES) ?? "EIO");
      return name;
    },
    "outage ends"(random) {
      const name = random.choose([...outages.keys()], itself);
      if (name) outages.delete(name);
      return name;
    },
    async "late arrival"(random) {
      const [effect] = lateRequests.splice(random.below(lateRequests.length), 1);
      if (!effect) return undefined;
      await effect().catch(() => undefined);
      return "";
    },
  };
}
