import { passTime } from "#fixtures/ports/interleaving.ts";
import type { Waiting } from "#fixtures/ports/interleaving.ts";
import { createEvents } from "./events/events.ts";
import { faultName, faultOf, isWrite, tornAppend } from "./faults.ts";
import { goAndVerifyReadiness } from "#simulator/model/verification/verify-readiness.ts";
import { createLateProcesses } from "./late-processes.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import { describeStep, GO, nameOfStep } from "#simulator/model/cluster/steps.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";
import type { FaultProfile } from "./fault-profile.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

type WaitingStep = Waiting<Step, StepResult>;

export interface StepPlayer {
  /** Publishes a record before the pods begin to work. */
  produce(random: StepRandom): string;
  /** Assigns the partitions to members for the first time. */
  assign(random: StepRandom): string;
  /** Plays the next random step or event. `waiting` holds the pods' next steps. */
  play(waiting: readonly WaitingStep[], random: StepRandom): Promise<string>;
  /** Replaces a step that is left out: the process that has waited longest continues. */
  continueFirst(waiting: readonly WaitingStep[]): Promise<string>;
  /** Ends every fault and pause. */
  endFaults(): Promise<void>;
}

export function createStepPlayer(cluster: ModelCluster, profile: FaultProfile): StepPlayer {
  const { clock, counts, steps } = cluster;
  const events = createEvents(cluster);
  const decide = createDecision(cluster, profile, events);
  const lateProcesses = createLateProcesses({ cluster, ownerRate: profile.ownerPauseRate, events });

  const continueFirst = async ([first]: readonly WaitingStep[]): Promise<string> => {
    if (!first) {
      await passTime(clock);
      return "time passes";
    }
    await goAndVerifyReadiness(cluster, first, GO);
    counts.add("steps", first.what.operation ?? first.what.kind);
    return `${first.who} ${describeStep(first.what)}`;
  };

  const playEvent = async (
    waiting: readonly WaitingStep[],
    random: StepRandom,
  ): Promise<string> => {
    const name = profile.event(random);
    const detail = await events.play(name, random);
    if (detail === undefined) return `${name} is not possible now: ${await continueFirst(waiting)}`;
    counts.add("events", name);
    return detail === "" ? name : `${name} ${detail}`;
  };

  const playStep = async (entry: WaitingStep, random: StepRandom): Promise<string> => {
    const { who, what } = entry;
    const machine = who.slice(0, 1);
    const appends = what.operation === "append" && what.phase === "before";
    const points = [
      ...cluster.crashPoints(entry, false),
      ...(appends ? cluster.crashPoints(entry, true) : []),
    ];
    const crashes = what.kind !== "notice" && profile.crashesAt(points, random);
    const torn = crashes && appends && random.next() < 0.5;
    if (crashes && !torn) {
      counts.add("crashes", `${what.phase} ${what.operation ?? what.kind}`);
      events.crash(machine);
      return `${who} crashes ${describeStep(what)}`;
    }
    if (!torn && lateProcesses.pausesAt(entry, random)) {
      return `${who} is paused ${describeStep(what)}`;
    }
    const how = torn ? tornAppend(what, random) : decide(entry, random);
    await goAndVerifyReadiness(cluster, entry, how);
    counts.add("steps", what.operation ?? what.kind);
    if (how.kind !== "go" && how.kind !== "hold") counts.add("faults", faultName(how, what));
    if (torn) {
      counts.add("crashes", "inside append");
      await steps.waiting();
      events.crash(machine, entry);
      return `${who} crashes inside ${describeStep(what)}`;
    }
    return `${who} ${describeStep(what)}${how.kind === "go" ? "" : `: ${JSON.stringify(how)}`}`;
  };

  return {
    continueFirst,
    produce: (random) => (events.produce(random), "a first record"),
    assign: (random) => (events.rebalance(random), "the first assignment"),
    async play(waiting, random) {
      events.setWaiting(waiting);
      const woken = lateProcesses.wakesOne(random);
      if (woken) return `${woken} resumes late`;
      if (lateProcesses.isWaiting && random.next() < 0.05) {
        await passTime(clock);
        return "time passes";
      }
      if (waiting.length === 0 || random.next() < profile.eventRate) {
        return playEvent(waiting, random);
      }
      const entry = random.choose(waiting, nameOf);
      return entry ? playStep(entry, random) : "nothing";
    },
    endFaults: () => events.endFaults(),
  };
}

/** Returns a function that decides whether a step goes, fails or is held. */
function createDecision(
  { absentNames }: ModelCluster,
  profile: FaultProfile,
  events: Pick<ReturnType<typeof createEvents>, "outage">,
): (entry: WaitingStep, random: StepRandom) => StepResult {
  return ({ who, what }, random) => {
    const machine = who.slice(0, 1);
    const code = events.outage(machine);
    if (code && what.kind === "file" && what.phase === "before" && isWrite(what)) {
      return { kind: "fail", code };
    }
    if (what.phase === "after") return GO;
    if (random.next() < profile.faultRate) {
      const known = absentNames.get(machine)?.has(what.subject) ?? false;
      return faultOf(what, known, random) ?? GO;
    }
    return random.next() < profile.holdRate ? { kind: "hold" } : GO;
  };
}

function nameOf({ who, what }: WaitingStep): string {
  return nameOfStep(who.slice(0, 1), what);
}
