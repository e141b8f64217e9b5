import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import type { Fate } from "#fixtures/ports/file-tree.ts";
import { createSteps } from "#fixtures/ports/interleaving.ts";
import type { Waiting } from "#fixtures/ports/interleaving.ts";
import { createPromiseRest } from "#fixtures/ports/event-loop-rest.ts";
import { createRetainedHistory } from "#simulator/model/verification/retained-history.ts";
import { createModelBroker } from "./broker.ts";
import { createCounts } from "#simulator/model/counts.ts";
import type { Counts } from "#simulator/model/counts.ts";
import { createCrashPoints } from "#simulator/model/schedule/crash-points.ts";
import { createFaultyFiles } from "./faulty-files.ts";
import type { Invariant } from "#simulator/model/verification/invariants.ts";
import { createVerifier } from "#simulator/model/verification/verifier.ts";
import { createLedger } from "#simulator/model/verification/ledger.ts";
import { startModelPod } from "./pod.ts";
import type { ModelPod } from "./pod.ts";
import { hash } from "#simulator/model/step-random.ts";
import { AGE_LIMITS, HORIZON, RAISED_AGE_LIMITS } from "#simulator/model/settings.ts";
import type { StepResult, Step } from "./steps.ts";
import { createClusterTimes } from "./times.ts";
import { createWorkPause } from "./work-pause.ts";
import { createModelEndpoint } from "./action-endpoint.ts";
import type { Answer } from "./action-endpoint.ts";

export interface Violation {
  readonly invariant: Invariant;
  readonly detail: string;
}

export type ModelCluster = ReturnType<typeof createModelCluster>;

export interface ModelClusterOptions {
  readonly seed: number;
  readonly partitions: number;
  readonly answer: (key: string) => Answer;
  readonly batchSize: (partition: number) => number;
  /** Returns true for a process that sends other requests under the same keys. Defaults to none. */
  readonly changesRequests?: (who: string) => boolean;
}

/**
 * Creates machines, pods, one volume, one broker and one action endpoint in virtual time. Nothing
 * moves by itself.
 */
export function createModelCluster(options: ModelClusterOptions) {
  const { seed, partitions, answer, batchSize, changesRequests = () => false } = options;
  const rest = createPromiseRest();
  const clock = createManualClock({ rest });
  const times = createClusterTimes(clock);
  const volume = createMemoryVolume({ clock: { wallMs: () => times.shownMs() } });
  const steps = createSteps<Step, StepResult>(rest);
  const counts: Counts = createCounts();
  const violations: Violation[] = [];
  const violate = (invariant: Invariant, detail: string): void => {
    violations.push({ invariant, detail });
  };
  /** Effects of requests that have not arrived yet. */
  const lateRequests: (() => Promise<unknown>)[] = [];
  const later = (effect: () => Promise<unknown>): void => void lateRequests.push(effect);
  const pods = new Map<string, ModelPod>();
  const absentNames = new Map<string, Set<string>>();
  const skews = new Map<string, number>();
  /** When each name in the horizon directory was created, and by which machine. */
  const named = new Map<string, { readonly atMs: number; readonly machine: string }>();
  let limits = AGE_LIMITS;
  /** The number of processes that each machine has had. */
  const processes = new Map<string, number>();
  let verifiedChanges = 0;

  const workPause = createWorkPause({
    volume,
    clock,
    violate,
    onWithinDelay: () => counts.add("checks", "action within the delay of a pause"),
  });
  const ledger = createLedger(volume, times, violate);
  const retained = createRetainedHistory(volume, times, violate, (entry) =>
    verifier.onJournalled(entry),
  );
  const points = createCrashPoints(() => retained.highest);
  const broker = createModelBroker({
    partitions,
    steps,
    batchSize,
    onCommit: (partition, next, own) => {
      counts.add("work", "commits");
      verifier.onCommit(partition, next, own);
    },
    onLateCommit: (who, partition) =>
      violate("nothing is committed for a partition that is not assigned", `${who}: ${partition}`),
  });
  const endpoint = createModelEndpoint({
    steps,
    answer,
    later,
    onAnswer: (key, result) => ledger.answered(key, result),
  });
  const verifier = createVerifier({
    volume,
    ledger,
    retained,
    broker: () => broker,
    endpoint: () => endpoint,
    times,
    limits: () => limits,
    violate,
  });

  const cluster = {
    clock,
    times,
    volume,
    steps,
    counts,
    violations,
    lateRequests,
    pods,
    skews,
    workPause,
    absentNames,
    broker,
    endpoint,
    verifier,
    ledger,
    retained,
    violate,
    get limits() {
      return limits;
    },
    /** Raises the age limits of the processes that start from now on. */
    raiseLimits(): void {
      limits = RAISED_AGE_LIMITS;
    },
    /** Lets a step continue with the given result. */
    go(entry: Waiting<Step, StepResult>, how: StepResult): void {
      points.follow(entry, how);
      entry.go(how);
    },
    /** Records that a step had its effect, for the crash points alone. */
    follow: (entry: Waiting<Step, StepResult>) => points.follow(entry, { kind: "hold" }),
    /**
     * Returns the crash points of a process that dies at this step or, with `inside`, during it.
     */
    crashPoints: ({ who, what }: Waiting<Step, StepResult>, inside: boolean) =>
      points.at(who, what, inside),
    /** Verifies the invariants when something has changed on the volume. */
    afterStep(): void {
      if (volume.changes === verifiedChanges) return;
      verifiedChanges = volume.changes;
      verifier.afterStep();
      retained.scan();
    },
    /** Starts a process on the machine `name`, which must not have one. */
    start(name: string): ModelPod {
      const number = (processes.get(name) ?? 0) + 1;
      processes.set(name, number);
      const who = `${name}.${number}`;
      const known = absentNames.get(name) ?? new Set();
      absentNames.set(name, known);
      counts.add("work", "processes");
      const pod = startModelPod({
        name,
        who,
        broker,
        endpoint,
        exit: () => steps.kill(who),
        changesRequests: changesRequests(who),
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
          absentNames: known,
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
          onClaim: (claiming) => workPause.onClaim(claiming.who),
          onSend(sender, planned, execution) {
            counts.add("sends", "requests");
            workPause.onSend(sender.who);
            verifier.onSend(sender, planned, execution);
          },
          onLookup: (asked, key, entry) => verifier.onLookup(asked, key, entry),
          onRecorded: (entry) => ledger.onRecorded(entry),
          onFatal: (failedStep, error) =>
            violate(
              "no process ends with an unexplained error",
              `${failedStep.who}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
            ),
        },
      });
      pods.set(name, pod);
      return pod;
    },
    /**
     * Ends the process at once, as SIGKILL or the loss of its machine does. The group notices only
     * when `broker.leave` is called.
     */
    kill(name: string): void {
      const pod = pods.get(name);
      if (!pod) return;
      steps.kill(pod.who);
      pods.delete(name);
    },
    losePower(fate?: Fate): void {
      for (const name of pods.keys()) cluster.kill(name);
      lateRequests.length = 0;
      volume.losePower(fate);
      ledger.forgetUnsynced();
      retained.forgetUnsynced();
    },
  };
  return cluster;
}
