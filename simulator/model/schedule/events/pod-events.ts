import type { EventContext, PlayEvent } from "./event-context.ts";
import { itself, machineOf, machineOfProcess, MACHINES } from "./machines.ts";

/** The names of events of pods. */
export type PodEvent = "crash" | "restart" | "pause" | "resume" | "stop" | "compact" | "sweep";

/** Returns the events of pods: what happens to their processes, and maintenance that they do. */
export function podEvents({
  cluster,
  paused,
  pause,
  resume,
  crash,
}: EventContext): Record<PodEvent, PlayEvent> {
  const { counts, pods } = cluster;
  return {
    crash(random) {
      const machine = random.choose([...pods.keys()], itself);
      if (!machine) return undefined;
      counts.add("crashes", "between steps");
      crash(machine);
      return machine;
    },
    restart(random) {
      const free = MACHINES.filter((name) => (pods.get(name)?.state ?? "ended") === "ended");
      const machine = random.choose(free, itself);
      return machine && cluster.start(machine).who;
    },
    pause(random) {
      const others = [...pods.values()].filter((pod) => !paused.has(pod.who));
      const who = random.choose(others, machineOf)?.who;
      if (who) pause(who);
      return who;
    },
    resume(random) {
      const who = random.choose([...paused], machineOfProcess);
      if (who) resume(who);
      return who;
    },
    stop(random) {
      const working = [...pods.values()].filter(
        ({ state }) => state === "running" || state === "starting",
      );
      const pod = random.choose(working, machineOf);
      pod?.stop();
      return pod?.who;
    },
    compact(random) {
      // Often several pods compact at once, and race for the next generation.
      const chosen = MACHINES.filter(() => random.next() < 0.6);
      const compacting = [...pods.values()].filter(({ name }) =>
        chosen.some((one) => one === name),
      );
      for (const pod of compacting) void pod.compact();
      return compacting.map(({ who }) => who).join(", ");
    },
    sweep(random) {
      const pod = random.choose([...pods.values()], machineOf);
      void pod?.sweep();
      return pod?.who;
    },
  };
}
