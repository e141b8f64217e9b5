import { passTime } from "#fixtures/ports/interleaving.ts";
import type { Event } from "#simulator/model/schedule/fault-profile.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { EventContext, PlayEvent } from "./event-context.ts";
import type { GroupEvent } from "./group-events.ts";
import { MACHINES } from "./machines.ts";
import type { OrderEvent } from "./order-events.ts";
import type { PodEvent } from "./pod-events.ts";
import type { VolumeEvent } from "./volume-events.ts";

/** The names of events of clocks and limits. */
export type TimeEvent = Exclude<Event, PodEvent | GroupEvent | VolumeEvent | OrderEvent>;

/** Returns the events of clocks and age limits. */
export function timeEvents({ cluster }: EventContext): Record<TimeEvent, PlayEvent> {
  const { clock, skews, times } = cluster;
  return {
    async time() {
      await passTime(clock);
      return "";
    },
    async "long time"(random) {
      const durationMs = random.below(DURATIONS.eventAgeMsMax / 3);
      await clock.advance(durationMs);
      return `${durationMs} ms`;
    },
    skew(random) {
      const name = random.pick(MACHINES) ?? "a";
      const skewMs = random.below(DURATIONS.clockSkewMsMax + 1) - DURATIONS.clockSkewMsMax / 2;
      skews.set(name, skewMs);
      return `${name} ${skewMs} ms`;
    },
    "clock beyond the skew"(random) {
      const name = random.pick(MACHINES) ?? "a";
      // The coarse timestamps of files may hide a smaller difference.
      const beyondMs = DURATIONS.clockSkewMsMax + 1001 + random.below(2 * DURATIONS.retentionMs);
      const skewMs = random.next() < 0.7 ? beyondMs : -beyondMs;
      skews.set(name, skewMs);
      return `${name} ${skewMs} ms`;
    },
    "all clocks ahead"(random) {
      times.setAhead(times.aheadMs > 0 ? 0 : random.below(2 * DURATIONS.retentionMs));
      return `${times.aheadMs} ms`;
    },
    "limit raised"() {
      if (cluster.limits.eventAgeMsMax > DURATIONS.eventAgeMsMax) return undefined;
      cluster.raiseLimits();
      return "";
    },
  };
}
