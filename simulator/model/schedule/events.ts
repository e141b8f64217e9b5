import { anIncident } from "#fixtures/incidents.ts";
import { passTime, type Waiting } from "#fixtures/ports/interleaving.ts";
import { CODES } from "./faults.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";
import type { Event } from "./fault-profile.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

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
  /** Ends every fault and pause. */
  endFaults(): Promise<void>;
}

const NAMES = ["a", "b", "c"] as const;

type PlayEvent = (random: StepRandom) => string | undefined | Promise<string | undefined>;

export function createEvents(cluster: ModelCluster): Events {
  const { broker, clock, counts, lateRequests, absentNames, pods, skews, steps, times } = cluster;
  const dead: string[] = [];
  const paused = new Set<string>();
  /** The error code of each machine whose volume fails. */
  const outages = new Map<string, string>();
  let incidents = 0;
  /** The next steps of the pods. */
  let waitingSteps: readonly Waiting<Step, StepResult>[] = [];

  const produce = (random: StepRandom): void => {
    incidents += 1;
    const id = `incident-${random.below(1 + Math.ceil(incidents / 2))}`;
    append(Number(id.slice(-1)) % broker.partitions.length, recordOf(id, clock.wallMs(), random));
  };
  const append = (partition: number, value: Uint8Array): void => {
    cluster.ledger.add(broker.produce(partition, value, clock.wallMs()));
  };
  const rebalance = (random: StepRandom): void => {
    const { members } = broker;
    if (members.length === 0) return;
    broker.rebalance(
      broker.partitions.map(() => random.choose(members, itself)),
      random.next() < 0.2,
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
  const crash = (machine: string, inside?: Waiting<Step, StepResult>): void => {
    const pod = pods.get(machine);
    if (!pod) return;
    const points = waitingSteps
      .filter(({ who }) => who === pod.who)
      .flatMap((entry) => cluster.crashPoints(entry, entry === inside));
    for (const point of new Set(points)) counts.add("crash points", point);
    cluster.kill(machine);
    paused.delete(pod.who);
    dead.push(pod.who);
  };

  const ofPods: Record<OfPods, PlayEvent> = {
    crash(random) {
      const machine = random.choose([...pods.keys()], itself);
      if (!machine) return undefined;
      counts.add("crashes", "between steps");
      crash(machine);
      return machine;
    },
    restart(random) {
      const free = NAMES.filter((name) => (pods.get(name)?.state ?? "ended") === "ended");
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
      const chosen = NAMES.filter(() => random.next() < 0.6);
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

  const ofGroup: Record<OfGroup, PlayEvent> = {
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

  const ofVolume: Record<OfVolume, PlayEvent> = {
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
      const name = random.pick(NAMES) ?? "a";
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

  const ofTime: Record<OfTime, PlayEvent> = {
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
      const name = random.pick(NAMES) ?? "a";
      const skewMs = random.below(DURATIONS.clockSkewMsMax + 1) - DURATIONS.clockSkewMsMax / 2;
      skews.set(name, skewMs);
      return `${name} ${skewMs} ms`;
    },
    "clock beyond the skew"(random) {
      const name = random.pick(NAMES) ?? "a";
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
  const events: Record<Event, PlayEvent> = { ...ofPods, ...ofGroup, ...ofVolume, ...ofTime };

  return {
    play: async (name, random) => events[name](random),
    produce,
    rebalance,
    pause,
    resume,
    paused,
    outage: (machine) => outages.get(machine),
    crash,
    setWaiting: (waiting) => void (waitingSteps = waiting),
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
    },
  };
}

type OfPods = "crash" | "restart" | "pause" | "resume" | "stop" | "compact" | "sweep";
type OfGroup = "produce" | "republish" | "rebalance" | "session end" | "offset reset";
type OfVolume = "power loss" | "outage" | "outage ends" | "late arrival";
type OfTime = Exclude<Event, OfPods | OfGroup | OfVolume>;

/** Returns an incident or, now and then, bytes that cannot be decoded. */
function recordOf(id: string, nowMs: number, random: StepRandom): Uint8Array {
  const nearTheLimit = random.next() < 0.35;
  // Most of the records near the limit reach it while they are worked on.
  const ageMs = nearTheLimit
    ? DURATIONS.eventAgeMsMax - 15_000 + random.below(20_000)
    : random.below(20_000);
  if (random.next() < 0.06) return new TextEncoder().encode("{");
  const incident = anIncident({
    id,
    status: random.pick(["active", "acknowledged", "resolved"]) ?? "active",
    severity: random.pick(["critical", "warning"]) ?? "critical",
    environment: random.next() < 0.9 ? "production" : "staging",
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

/** Returns the machine of a process, which is named `machine.number`. */
function machineOfProcess(who: string): string {
  return who.slice(0, 1);
}
