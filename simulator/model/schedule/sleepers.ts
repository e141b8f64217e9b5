import type { Waiting } from "#fixtures/ports/interleaving.ts";
import type { Events } from "./events.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import type { How, Step } from "#simulator/model/steps.ts";
import type { Model } from "#simulator/model/model.ts";

/**
 * Processes that fall asleep in front of a decisive step, and wake when another has done what they were about to do:
 * an owner whose attempt was called in doubt, a compactor whose number was taken.
 */
export interface Sleepers {
  /** True when it falls asleep: then the others begin to take over. */
  fallsAsleep(entry: Waiting<Step, How>, draws: StepRandom): boolean;
  /** Who wakes now, too late. */
  wakes(draws: StepRandom): string | undefined;
  /** True while somebody sleeps whom others have to overtake: that takes time. */
  readonly sleeping: boolean;
}

export interface SleepersOptions {
  readonly model: Model;
  /** How likely an owner falls asleep. */
  readonly ownerRate: number;
  readonly events: Pick<Events, "pause" | "paused" | "resume">;
}

const COMPACTOR_RATE = 0.5;
/** Nobody wakes in the very moment. */
const WAKE_RATE = 0.2;

export function createSleepers(options: SleepersOptions): Sleepers {
  const { model, ownerRate, events } = options;
  const { paused } = events;
  const { archive, broker, counts, ledger, pods, volume } = model;
  /** What each waits for. */
  const asleep = new Map<string, () => boolean>();

  const sleep = (who: string, place: string, isLate: () => boolean): boolean => {
    events.pause(who);
    asleep.set(who, isLate);
    counts.add("events", `sleep before ${place}`);
    return true;
  };

  const compactorSleeps = (who: string, number: number, draws: StepRandom): boolean => {
    if (number <= archive.highest || draws.next() > COMPACTOR_RATE) return false;
    for (const pod of pods.values()) {
      if (pod.who !== who && !paused.has(pod.who)) void pod.compact();
    }
    return sleep(who, "a generation", () => archive.highest >= number);
  };

  const ownerSleeps = (who: string, place: string, outcome: string, draws: StepRandom): boolean => {
    const others = broker.members.filter((member) => member !== who && !paused.has(member));
    if (others.length === 0 || volume.file(outcome) || draws.next() > ownerRate) return false;
    const owners = broker.partitions.map(({ owner }, index) =>
      owner === who ? others[index % others.length] : owner,
    );
    broker.rebalance(owners);
    return sleep(who, place, () => volume.file(outcome) !== undefined);
  };

  return {
    fallsAsleep({ who, what: { kind, operation, phase, subject } }, draws) {
      if (phase === "after") return false;
      if (kind === "send") {
        const attempt = Math.max(...(ledger.keys.get(subject)?.attempts.keys() ?? []));
        const outcome = `claims/${subject.slice(0, 2)}/${subject}.${attempt}.outcome`;
        return ownerSleeps(who, "a send", outcome, draws);
      }
      if (operation !== "link") return false;
      if (subject.endsWith(".outcome")) return ownerSleeps(who, "an outcome", subject, draws);
      const [, number] = /^snapshot\/(\d+)$/.exec(subject) ?? [];
      return number !== undefined && compactorSleeps(who, Number(number), draws);
    },
    get sleeping() {
      return [...asleep.keys()].some((who) => paused.has(who));
    },
    wakes(draws) {
      for (const [who, isLate] of asleep) {
        if (!paused.has(who)) asleep.delete(who);
        else if (isLate() && draws.next() < WAKE_RATE) {
          asleep.delete(who);
          events.resume(who);
          counts.add("events", "wakes late");
          return who;
        }
      }
      return undefined;
    },
  };
}
