import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import { createMemoryVolume, type Fate } from "#fixtures/ports/files.ts";
import { type Waiting, createSteps } from "#fixtures/ports/interleaving.ts";
import { createPromiseRest } from "#fixtures/ports/turns.ts";
import { createArchive } from "./parts/archive.ts";
import { createModelBroker } from "./parts/broker.ts";
import { type Counts, createCounts } from "./counts.ts";
import { createCrashPoints } from "./schedule/crash-points.ts";
import { createFaultyFiles } from "./parts/faulty-files.ts";
import type { Invariant } from "./judging/invariants.ts";
import { createJudge } from "./judging/judge.ts";
import { createLedger } from "./judging/ledger.ts";
import { type ModelPod, startModelPod } from "./parts/pod.ts";
import { hash } from "./step-random.ts";
import { AGE_LIMITS, HORIZON, RAISED_AGE_LIMITS } from "./settings.ts";
import type { How, Step } from "./steps.ts";
import { createTimes } from "./times.ts";
import { type Answer, createModelTarget } from "./parts/action-endpoint.ts";

export interface Violation {
  readonly invariant: Invariant;
  readonly detail: string;
}

export type Model = ReturnType<typeof createModel>;

export interface ModelOptions {
  readonly seed: number;
  readonly partitions: number;
  readonly answer: (key: string) => Answer;
  readonly batchSize: (partition: number) => number;
}

/** Machines, pods, one volume, one broker and one target, in virtual time; nothing moves by itself. */
export function createModel({ seed, partitions, answer, batchSize }: ModelOptions) {
  const rest = createPromiseRest();
  const clock = createManualClock({ rest });
  const times = createTimes(clock);
  const volume = createMemoryVolume({ clock: { wallMs: () => times.shownMs() } });
  const steps = createSteps<Step, How>(rest);
  const counts: Counts = createCounts();
  const violations: Violation[] = [];
  const violate = (invariant: Invariant, detail: string): void => {
    violations.push({ invariant, detail });
  };
  /** Requests that are still on their way. */
  const late: (() => Promise<unknown>)[] = [];
  const later = (effect: () => Promise<unknown>): void => void late.push(effect);
  const pods = new Map<string, ModelPod>();
  const negatives = new Map<string, Set<string>>();
  const skews = new Map<string, number>();
  /** When a name of a horizon file was made, and by which machine. */
  const named = new Map<string, { readonly atMs: number; readonly machine: string }>();
  let limits = AGE_LIMITS;
  /** How many each machine has had. */
  const processes = new Map<string, number>();
  let judged = 0;

  const ledger = createLedger(volume, times, violate);
  const archive = createArchive(volume, times, violate, (entry) => judge.onJournalled(entry));
  const points = createCrashPoints(() => archive.highest);
  const broker = createModelBroker({
    partitions,
    steps,
    batchSize,
    onCommit: (partition, next, own) => {
      counts.add("work", "commits");
      judge.onCommit(partition, next, own);
    },
    onLateCommit: (who, partition) =>
      violate("nothing is committed for a partition that is not assigned", `${who}: ${partition}`),
  });
  const target = createModelTarget({
    steps,
    answer,
    later,
    onAnswer: (key, result) => ledger.answered(key, result),
  });
  const judge = createJudge({
    volume,
    ledger,
    archive,
    broker: () => broker,
    target: () => target,
    times,
    limits: () => limits,
    violate,
  });

  const model = {
    clock,
    times,
    volume,
    steps,
    counts,
    violations,
    late,
    pods,
    skews,
    negatives,
    broker,
    target,
    judge,
    ledger,
    archive,
    violate,
    get limits() {
      return limits;
    },
    /** Of the processes that start from now on. */
    raiseLimits(): void {
      limits = RAISED_AGE_LIMITS;
    },
    /** Lets a step happen. */
    go(entry: Waiting<Step, How>, how: How): void {
      points.follow(entry, how);
      entry.go(how);
    },
    /** What follows from a step that has its effect, for the crash points alone. */
    follow: (entry: Waiting<Step, How>) => points.follow(entry, { kind: "hold" }),
    /** Where a process stands that dies now, at this step or inside it. */
    crashPoints: ({ who, what }: Waiting<Step, How>, inside: boolean) =>
      points.at(who, what, inside),
    /** Judges what has happened. */
    afterStep(): void {
      if (volume.changes === judged) return;
      judged = volume.changes;
      judge.afterStep();
      archive.scan();
    },
    /** A process on the machine `name`, which has none. */
    start(name: string): ModelPod {
      const number = (processes.get(name) ?? 0) + 1;
      processes.set(name, number);
      const who = `${name}.${number}`;
      const known = negatives.get(name) ?? new Set();
      negatives.set(name, known);
      counts.add("work", "processes");
      const pod = startModelPod({
        name,
        who,
        broker,
        target,
        exit: () => steps.kill(who),
        limits,
        random: createSeededRandom(hash(seed, who)),
        clock: {
          wallMs: () => times.shownMs() + (skews.get(name) ?? 0),
          monotonicMs: () => clock.monotonicMs(),
          async sleep(durationMs, signal) {
            await clock.sleep(durationMs, signal);
            await steps.awake(who);
          },
        },
        files: createFaultyFiles({
          who,
          files: volume.mount(),
          isEmpty: (path) => volume.files(path)[Symbol.iterator]().next().done === true,
          steps,
          negatives: known,
          onNamed: (path) => void named.set(path, { atMs: clock.monotonicMs(), machine: name }),
          mayBeUnlisted(path) {
            const made = named.get(path);
            if (!made || made.machine === name) return false;
            return clock.monotonicMs() - made.atMs < HORIZON.nameCacheMs;
          },
          later,
          violated: (rule) => violate(rule, who),
        }),
        observer: {
          onSend(sender, planned, execution) {
            counts.add("sends", "requests");
            judge.onSend(sender, planned, execution);
          },
          onLookup: (asked, key, entry) => judge.onLookup(asked, key, entry),
          onRecorded: (entry) => ledger.recorded(entry),
          onFatal: (failed, error) =>
            violate(
              "no process ends in an error that nothing explains",
              `${failed.who}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
            ),
        },
      });
      pods.set(name, pod);
      return pod;
    },
    /** SIGKILL, or the machine is gone. The group notices when `broker.leave` is called. */
    kill(name: string): void {
      const pod = pods.get(name);
      if (!pod) return;
      steps.kill(pod.who);
      pods.delete(name);
    },
    losePower(fate?: Fate): void {
      for (const name of pods.keys()) model.kill(name);
      late.length = 0;
      volume.losePower(fate);
      ledger.forgetUnsynced();
      archive.forgetUnsynced();
    },
  };
  return model;
}
