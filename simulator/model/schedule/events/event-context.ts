import type { Waiting } from "#fixtures/ports/interleaving.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import { itself } from "./machines.ts";
import { recordOf, startedOnOf } from "./record.ts";

/** Plays one event and returns a text for the trace, or undefined when it is not possible now. */
export type PlayEvent = (random: StepRandom) => string | undefined | Promise<string | undefined>;

/** The state that events share, and what several of them do. */
export type EventContext = ReturnType<typeof createEventContext>;

export function createEventContext(cluster: ModelCluster) {
  const { broker, clock, counts, pods, steps } = cluster;
  /** Processes that have died and whose session has not expired. */
  const dead: string[] = [];
  const paused = new Set<string>();
  /** The error code of each machine whose volume fails. */
  const outages = new Map<string, string>();
  let incidents = 0;
  /** The last start of each incident, in seconds since the epoch. */
  const starts = new Map<string, number>();
  /** The next steps of the pods. */
  let waitingSteps: readonly Waiting<Step, StepResult>[] = [];

  const produce = (random: StepRandom): void => {
    incidents += 1;
    const id = `incident-${random.below(1 + Math.ceil(incidents / 2))}`;
    const startedOn = startOf(id, random);
    starts.set(id, startedOn);
    append(Number(id.slice(-1)) % broker.partitions.length, recordOf(id, startedOn, random));
  };
  /**
   * Returns when an incident started, in seconds since the epoch. One that came before may open again with the same
   * start, or have its start moved back, as by a merge.
   */
  const startOf = (id: string, random: StepRandom): number => {
    const startedOn = startedOnOf(clock.wallMs(), random);
    const before = starts.get(id);
    if (before === undefined) return startedOn;
    const draw = random.next();
    if (draw < 0.2) {
      counts.add("starts", "the same");
      return before;
    }
    if (draw < 0.4) {
      counts.add("starts", "moved back");
      return before - 1 - random.below(60);
    }
    return startedOn;
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

  return {
    cluster,
    dead,
    paused,
    outages,
    produce,
    append,
    rebalance,
    pause,
    resume,
    crash,
    setWaiting: (waiting: readonly Waiting<Step, StepResult>[]): void => {
      waitingSteps = waiting;
    },
  };
}
