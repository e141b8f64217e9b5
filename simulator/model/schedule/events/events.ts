import type { Waiting } from "#fixtures/ports/interleaving.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";
import type { Event } from "#simulator/model/schedule/fault-profile.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import { createEventContext } from "./event-context.ts";
import type { PlayEvent } from "./event-context.ts";
import { groupEvents } from "./group-events.ts";
import { orderEvents } from "./order-events.ts";
import { podEvents } from "./pod-events.ts";
import { timeEvents } from "./time-events.ts";
import { volumeEvents } from "./volume-events.ts";

/** Events that happen to machines, pods, the group and the topic between the pods' own steps. */
export interface Events {
  /**
   * Plays the event and returns a text for the trace, or undefined when there is nothing that it
   * could happen to now.
   */
  play(name: Event, random: StepRandom): Promise<string | undefined>;
  /** Publishes a record of some incident. */
  produce(random: StepRandom): void;
  rebalance(random: StepRandom): void;
  pause(who: string): void;
  resume(who: string): void;
  readonly paused: ReadonlySet<string>;
  /** Returns the error code that every write of that machine fails with while its volume fails. */
  outage(machine: string): string | undefined;
  /** Kills the process before all steps that it was about to take, or during one of them. */
  crash(machine: string, inside?: Waiting<Step, StepResult>): void;
  /** Sets the next steps of the pods. */
  setWaiting(waiting: readonly Waiting<Step, StepResult>[]): void;
  /** Ends every fault and pause, and orders to resume the work. */
  endFaults(): Promise<void>;
}

/** Identifies the order to resume after all faults. */
const LAST_ORDER = "f".repeat(32);

export function createEvents(cluster: ModelCluster): Events {
  const { absentNames, broker, lateRequests, skews, steps, times, workPause } = cluster;
  const context = createEventContext(cluster);
  const { crash, dead, outages, paused, pause, produce, rebalance, resume, setWaiting } = context;
  const events: Record<Event, PlayEvent> = {
    ...podEvents(context),
    ...groupEvents(context),
    ...volumeEvents(context),
    ...timeEvents(context),
    ...orderEvents(context),
  };

  return {
    play: async (name, random) => events[name](random),
    produce,
    rebalance,
    pause,
    resume,
    paused,
    outage: (machine) => outages.get(machine),
    crash,
    setWaiting,
    async endFaults() {
      outages.clear();
      times.setAhead(0);
      for (const [name, skewMs] of skews) {
        if (Math.abs(skewMs) > DURATIONS.clockSkewMsMax) skews.delete(name);
      }
      for (const effect of lateRequests.splice(0)) await effect().catch(() => undefined);
      for (const who of paused) steps.resume(who);
      paused.clear();
      for (const who of dead.splice(0)) broker.leave(who);
      for (const known of absentNames.values()) known.clear();
      if (workPause.isPaused) await workPause.order(false, LAST_ORDER);
    },
  };
}
