import { attemptPath } from "#consumer/history/base/layout.ts";
import type { Waiting } from "#fixtures/ports/interleaving.ts";
import type { Events } from "./events/events.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

/**
 * Processes that are paused before a decisive step and wake after another process has done what
 * they were about to do: an owner whose attempt was called in doubt, a compactor whose number was
 * taken.
 */
export interface LateProcesses {
  /** Returns true when the process is paused here; then others begin to take over. */
  pausesAt(entry: Waiting<Step, StepResult>, random: StepRandom): boolean;
  /** Wakes one process that is late by now, and returns it. */
  wakesOne(random: StepRandom): string | undefined;
  /** True while a paused process has not been overtaken yet, which takes time. */
  readonly isWaiting: boolean;
}

export interface LateProcessesOptions {
  readonly cluster: ModelCluster;
  /** The probability that an owner is paused. */
  readonly ownerRate: number;
  readonly events: Pick<Events, "pause" | "paused" | "resume">;
}

const COMPACTOR_RATE = 0.5;
/** A process does not always wake at once when it is late. */
const WAKE_RATE = 0.2;

export function createLateProcesses(options: LateProcessesOptions): LateProcesses {
  const { cluster, ownerRate, events } = options;
  const { paused } = events;
  const { retained, broker, counts, ledger, pods, volume } = cluster;
  /** Tells for each paused process whether another one has overtaken it. */
  const waitingFor = new Map<string, () => boolean>();

  const sleep = (who: string, place: string, isLate: () => boolean): boolean => {
    events.pause(who);
    waitingFor.set(who, isLate);
    counts.add("events", `pause before ${place}`);
    return true;
  };

  const pausesCompactor = (who: string, number: number, random: StepRandom): boolean => {
    if (number <= retained.highest || random.next() > COMPACTOR_RATE) return false;
    for (const pod of pods.values()) {
      if (pod.who !== who && !paused.has(pod.who)) void pod.compact();
    }
    return sleep(who, "a generation", () => retained.highest >= number);
  };

  const pausesOwner = (
    who: string,
    place: string,
    outcome: string,
    random: StepRandom,
  ): boolean => {
    const others = broker.members.filter((member) => member !== who && !paused.has(member));
    if (others.length === 0 || volume.file(outcome) || random.next() > ownerRate) return false;
    const owners = broker.partitions.map(({ owner }, index) =>
      owner === who ? others[index % others.length] : owner,
    );
    broker.rebalance(owners);
    return sleep(who, place, () => volume.file(outcome) !== undefined);
  };

  return {
    pausesAt({ who, what: { kind, operation, phase, subject } }, random) {
      if (phase === "after") return false;
      if (kind === "send") {
        const attempt = Math.max(...(ledger.keys.get(subject)?.attempts.keys() ?? []));
        const outcome = attemptPath(subject, attempt, "outcome");
        return pausesOwner(who, "a send", outcome, random);
      }
      if (operation !== "link") return false;
      if (subject.endsWith(".outcome")) return pausesOwner(who, "an outcome", subject, random);
      const [, number] = /^snapshot\/(\d+)$/.exec(subject) ?? [];
      return number !== undefined && pausesCompactor(who, Number(number), random);
    },
    get isWaiting() {
      return [...waitingFor.keys()].some((who) => paused.has(who));
    },
    wakesOne(random) {
      for (const [who, isLate] of waitingFor) {
        if (!paused.has(who)) waitingFor.delete(who);
        else if (isLate() && random.next() < WAKE_RATE) {
          waitingFor.delete(who);
          events.resume(who);
          counts.add("events", "resumed late");
          return who;
        }
      }
      return undefined;
    },
  };
}
