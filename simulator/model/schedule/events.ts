import { anIncident } from "#fixtures/incidents.ts";
import { passTime, type Waiting } from "#fixtures/ports/interleaving.ts";
import { CODES } from "./faults.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import type { How, Step } from "#simulator/model/steps.ts";
import type { Event } from "./weather.ts";
import type { Model } from "#simulator/model/model.ts";

/** What befalls machines, pods, the group and the topic beside the pods' own steps. */
export interface Events {
  /** Text for the trace; undefined when there is nobody or nothing that it could befall now. */
  happen(name: Event, draws: StepRandom): Promise<string | undefined>;
  /** A record of some incident. */
  produce(draws: StepRandom): void;
  rebalance(draws: StepRandom): void;
  pause(who: string): void;
  resume(who: string): void;
  readonly paused: ReadonlySet<string>;
  /** What every write of that machine fails with, while its volume fails. */
  outage(machine: string): string | undefined;
  /** SIGKILL: it dies in front of every step that it was about to take, or inside one. */
  crash(machine: string, inside?: Waiting<Step, How>): void;
  /** The pods' next steps, from now on. */
  stand(waiting: readonly Waiting<Step, How>[]): void;
  /** Everything works again. */
  calm(): Promise<void>;
}

const NAMES = ["a", "b", "c"] as const;

type Happen = (draws: StepRandom) => string | undefined | Promise<string | undefined>;

export function createEvents(model: Model): Events {
  const { broker, clock, counts, late, negatives, pods, skews, steps, times } = model;
  const dead: string[] = [];
  const paused = new Set<string>();
  /** Machines whose volume fails, with what. */
  const outages = new Map<string, string>();
  let incidents = 0;
  /** The pods' next steps. */
  let standing: readonly Waiting<Step, How>[] = [];

  const produce = (draws: StepRandom): void => {
    incidents += 1;
    const id = `incident-${draws.below(1 + Math.ceil(incidents / 2))}`;
    append(Number(id.slice(-1)) % broker.partitions.length, recordOf(id, clock.wallMs(), draws));
  };
  const append = (partition: number, value: Uint8Array): void => {
    model.ledger.add(broker.produce(partition, value, clock.wallMs()));
  };
  const rebalance = (draws: StepRandom): void => {
    const { members } = broker;
    if (members.length === 0) return;
    broker.rebalance(
      broker.partitions.map(() => draws.choose(members, itself)),
      draws.next() < 0.2,
    );
  };
  const pause = (who: string): void => {
    steps.pause(who);
    paused.add(who);
  };
  const resume = (who: string): void => {
    steps.resume(who);
    paused.delete(who);
  };
  const crash = (machine: string, inside?: Waiting<Step, How>): void => {
    const pod = pods.get(machine);
    if (!pod) return;
    const points = standing
      .filter(({ who }) => who === pod.who)
      .flatMap((entry) => model.crashPoints(entry, entry === inside));
    for (const point of new Set(points)) counts.add("crash points", point);
    model.kill(machine);
    paused.delete(pod.who);
    dead.push(pod.who);
  };

  const ofPods: Record<OfPods, Happen> = {
    crash(draws) {
      const machine = draws.choose([...pods.keys()], itself);
      if (!machine) return undefined;
      counts.add("crashes", "between steps");
      crash(machine);
      return machine;
    },
    restart(draws) {
      const free = NAMES.filter((name) => (pods.get(name)?.state ?? "ended") === "ended");
      const machine = draws.choose(free, itself);
      return machine && model.start(machine).who;
    },
    pause(draws) {
      const others = [...pods.values()].filter((pod) => !paused.has(pod.who));
      const who = draws.choose(others, machineOf)?.who;
      if (who) pause(who);
      return who;
    },
    resume(draws) {
      const who = draws.choose([...paused], machineOfProcess);
      if (who) resume(who);
      return who;
    },
    stop(draws) {
      const working = [...pods.values()].filter(
        ({ state }) => state === "running" || state === "starting",
      );
      const pod = draws.choose(working, machineOf);
      pod?.stop();
      return pod?.who;
    },
    compact(draws) {
      // Often several at once: they race for the next generation.
      const chosen = NAMES.filter(() => draws.next() < 0.6);
      const compacting = [...pods.values()].filter(({ name }) =>
        chosen.some((one) => one === name),
      );
      for (const pod of compacting) void pod.compact();
      return compacting.map(({ who }) => who).join(", ");
    },
    sweep(draws) {
      const pod = draws.choose([...pods.values()], machineOf);
      void pod?.sweep();
      return pod?.who;
    },
  };

  const ofGroup: Record<OfGroup, Happen> = {
    produce: (draws) => (produce(draws), ""),
    republish(draws) {
      const partition = draws.below(broker.partitions.length);
      const record = draws.pick(broker.partitions[partition]?.log ?? []);
      if (!record?.value) return undefined;
      append(partition, record.value);
      return "";
    },
    rebalance: (draws) => (rebalance(draws), ""),
    "session end"(draws) {
      const gone = dead.shift();
      if (gone) {
        broker.leave(gone);
        rebalance(draws);
        return gone;
      }
      // A process that stands still too long: others get its partitions, and it does not know.
      const who = draws.choose([...paused], machineOfProcess);
      const others = broker.members.filter((member) => member !== who);
      if (!who || others.length === 0) return undefined;
      broker.rebalance(
        broker.partitions.map(({ owner }) =>
          owner === who ? draws.choose(others, machineOfProcess) : owner,
        ),
      );
      return who;
    },
    "offset reset"(draws) {
      const partition = draws.below(broker.partitions.length);
      const to = draws.below((broker.partitions[partition]?.committed ?? 0) + 1);
      broker.resetOffset(partition, to);
      return `${partition} to ${to}`;
    },
  };

  const ofVolume: Record<OfVolume, Happen> = {
    "power loss"(draws) {
      for (const name of pods.keys()) crash(name);
      const laziest = draws.next() < 0.5;
      if (laziest) model.losePower();
      else {
        model.losePower({
          keepsName: () => draws.next() < 0.5,
          tail: (bytes) => ({
            kept: draws.below(bytes + 1),
            zeros: draws.below(3) === 0 ? draws.below(64) : 0,
          }),
        });
      }
      for (const known of negatives.values()) known.clear();
      return laziest ? "nothing unsynced is left" : "some of the unsynced is left";
    },
    outage(draws) {
      const name = draws.pick(NAMES) ?? "a";
      outages.set(name, draws.pick(CODES) ?? "EIO");
      return name;
    },
    "outage ends"(draws) {
      const name = draws.choose([...outages.keys()], itself);
      if (name) outages.delete(name);
      return name;
    },
    async "late arrival"(draws) {
      const [effect] = late.splice(draws.below(late.length), 1);
      if (!effect) return undefined;
      await effect().catch(() => undefined);
      return "";
    },
  };

  const ofTime: Record<OfTime, Happen> = {
    async time() {
      await passTime(clock);
      return "";
    },
    async "long time"(draws) {
      const durationMs = draws.below(DURATIONS.eventAgeMsMax / 3);
      await clock.advance(durationMs);
      return `${durationMs} ms`;
    },
    skew(draws) {
      const name = draws.pick(NAMES) ?? "a";
      const skewMs = draws.below(DURATIONS.clockSkewMsMax + 1) - DURATIONS.clockSkewMsMax / 2;
      skews.set(name, skewMs);
      return `${name} ${skewMs} ms`;
    },
    "clock beyond the skew"(draws) {
      const name = draws.pick(NAMES) ?? "a";
      // As far as the coarse time stamps of files may hide.
      const beyondMs = DURATIONS.clockSkewMsMax + 1001 + draws.below(2 * DURATIONS.retentionMs);
      const skewMs = draws.next() < 0.7 ? beyondMs : -beyondMs;
      skews.set(name, skewMs);
      return `${name} ${skewMs} ms`;
    },
    "all clocks ahead"(draws) {
      times.setAhead(times.aheadMs > 0 ? 0 : draws.below(2 * DURATIONS.retentionMs));
      return `${times.aheadMs} ms`;
    },
    "limit raised"() {
      if (model.limits.eventAgeMsMax > DURATIONS.eventAgeMsMax) return undefined;
      model.raiseLimits();
      return "";
    },
  };
  const events: Record<Event, Happen> = { ...ofPods, ...ofGroup, ...ofVolume, ...ofTime };

  return {
    happen: async (name, draws) => events[name](draws),
    produce,
    rebalance,
    pause,
    resume,
    paused,
    outage: (machine) => outages.get(machine),
    crash,
    stand: (waiting) => void (standing = waiting),
    async calm() {
      outages.clear();
      times.setAhead(0);
      for (const [name, skewMs] of skews) {
        if (Math.abs(skewMs) > DURATIONS.clockSkewMsMax) skews.delete(name);
      }
      for (const effect of late.splice(0)) await effect().catch(() => undefined);
      for (const who of paused) steps.resume(who);
      paused.clear();
      for (const who of dead.splice(0)) broker.leave(who);
      for (const known of negatives.values()) known.clear();
    },
  };
}

type OfPods = "crash" | "restart" | "pause" | "resume" | "stop" | "compact" | "sweep";
type OfGroup = "produce" | "republish" | "rebalance" | "session end" | "offset reset";
type OfVolume = "power loss" | "outage" | "outage ends" | "late arrival";
type OfTime = Exclude<Event, OfPods | OfGroup | OfVolume>;

/** An incident, or now and then what cannot be decoded. */
function recordOf(id: string, nowMs: number, draws: StepRandom): Uint8Array {
  const nearTheLimit = draws.next() < 0.35;
  // Of those near the limit most come to it while they are worked on.
  const ageMs = nearTheLimit
    ? DURATIONS.eventAgeMsMax - 15_000 + draws.below(20_000)
    : draws.below(20_000);
  if (draws.next() < 0.06) return new TextEncoder().encode("{");
  const incident = anIncident({
    id,
    status: draws.pick(["active", "acknowledged", "resolved"]) ?? "active",
    severity: draws.pick(["critical", "warning"]) ?? "critical",
    environment: draws.next() < 0.9 ? "production" : "staging",
    started_on: Math.round((nowMs - ageMs) / 1000),
  });
  return new TextEncoder().encode(JSON.stringify(incident));
}

function itself(name: string): string {
  return name;
}

function machineOf({ name }: { readonly name: string }): string {
  return name;
}

/** A process is `machine.number`. */
function machineOfProcess(who: string): string {
  return who.slice(0, 1);
}
