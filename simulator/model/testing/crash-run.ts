import {
  CLAIMS_DIRECTORY,
  SNAPSHOT_DIRECTORY,
  TEMPORARY_DIRECTORY,
} from "#consumer/history/base/layout.ts";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { anIncident } from "#fixtures/incidents.ts";
import {
  drawsRedelivery,
  drawsSweep,
  playFinalPhase,
} from "#simulator/model/schedule/final-phase.ts";
import type { FinalPhase } from "#simulator/model/schedule/final-phase.ts";
import { running, until } from "#simulator/model/schedule/progress.ts";
import type { Decide, Note } from "#simulator/model/schedule/progress.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import { createStepRandom } from "#simulator/model/step-random.ts";
import { GO } from "#simulator/model/cluster/steps.ts";
import type { Step } from "#simulator/model/cluster/steps.ts";
import { ANSWERS } from "#simulator/model/cluster/action-endpoint.ts";
import type { Answer } from "#simulator/model/cluster/action-endpoint.ts";
import { createModelCluster } from "#simulator/model/cluster/model-cluster.ts";
import type { Violation, ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

/**
 * Before: the step has no effect. After: it has its effect, and its reply is lost. Inside: it has a
 * part of its effect.
 */
type CrashPhase = "before" | "inside" | "after";

export interface CrashCase {
  /** The number of the step that crashes, from 0; -1 for none. */
  readonly at: number;
  readonly phase: CrashPhase;
  /** True when every machine loses power with the process. */
  readonly powerLoss: boolean;
}

const CRASH_PHASES: readonly (readonly [CrashPhase, boolean])[] = [
  ["before", false],
  ["inside", false],
  ["inside", true],
  ["after", false],
  ["after", true],
];

export interface CrashRun {
  /** False when the life ended before that step. */
  readonly crashed: boolean;
  /** The number of steps of the life, when it was not cut short. */
  readonly length: number;
  /** Every crash that leaves a different state, when the life was not cut short. */
  readonly cases: readonly CrashCase[];
  /** The crash points at which the process was. */
  readonly points: readonly string[];
  readonly violations: readonly Violation[];
  readonly trace: readonly string[];
}

/**
 * Plays the life of a few actions in one order, from the first delivery to the compaction of their
 * history. At the step `at` (from 0) the process that takes it crashes, and with `powerLoss` all
 * machines lose power. Then other processes complete the work.
 */
export async function runWithCrash({ at, phase, powerLoss }: CrashCase): Promise<CrashRun> {
  let answers = 0;
  const cluster = createModelCluster({
    seed: 1,
    partitions: 1,
    answer: () => nextAnswer((answers += 1)),
    batchSize: () => 2,
  });
  const { ledger } = cluster;
  const trace: string[] = [];
  const note: Note = (line) => void trace.push(line);
  const points = new Set<string>();
  const cases: CrashCase[] = [];
  let length = 0;
  let crashed = false;
  const decide: Decide = (entry) => {
    const { what } = entry;
    if (ledger.keys.size === 0) return { how: GO, crash: false };
    const isIt = !crashed && length === at && (what.phase === "before" || phase === "before");
    if (what.phase === "before") {
      for (const [end, power] of CRASH_PHASES) {
        if (hasPhase(what, end, power)) cases.push({ at: length, phase: end, powerLoss: power });
      }
      length += 1;
    }
    if (!isIt) return { how: GO, crash: false };
    crashed = true;
    const waitingSteps =
      phase === "after" ? { ...entry, what: { ...what, phase } as const } : entry;
    if (phase === "after") cluster.follow(entry);
    for (const point of cluster.crashPoints(waitingSteps, phase === "inside")) points.add(point);
    if (phase === "before") return { crash: true };
    if (phase === "after") return { how: { kind: "hold" }, crash: true };
    const bytes = Math.floor((what.bytes ?? 0) / 2);
    return { how: { kind: "tear", code: "EIO", bytes }, crash: true };
  };

  await playLife(cluster, note, decide, () => crashed);
  if (crashed) {
    if (powerLoss) {
      for (const { who } of cluster.pods.values()) cluster.broker.leave(who);
      cluster.losePower();
    }
    note(powerLoss ? "power is lost" : "others go on");
  }
  for (const { who } of cluster.pods.values()) cluster.steps.resume(who);
  if (cluster.violations.length === 0) await playFinalPhase(cluster, finalPhaseOf(at), note);
  return { crashed, length, cases, points: [...points], violations: cluster.violations, trace };
}

function finalPhaseOf(seed: number): FinalPhase {
  const redelivery = createStepRandom(seed, "replay");
  const sweep = createStepRandom(seed, "sweep");
  return {
    redelivery: drawsRedelivery(redelivery) ? redelivery : undefined,
    sweep: drawsSweep(sweep) ? sweep : undefined,
    recovery: createSeededRandom(seed),
  };
}

/** Returns done, then in doubt, then not applied three times, then done. */
function nextAnswer(number: number): Answer {
  const index = [0, 3, 1, 1, 1][number - 1] ?? 0;
  return ANSWERS[index] ?? { result: { outcome: "done", detail: "" }, applied: true };
}

/**
 * Returns true when a crash leaves a state of its own on the volume or at the broker. A process
 * that dies after a step leaves the same state as one that dies before its next step, unless power
 * is lost as well or the other side learns of the step.
 */
function hasPhase(
  { kind, operation, subject }: Step,
  phase: CrashPhase,
  powerLoss: boolean,
): boolean {
  if (kind === "fetch" || kind === "notice") return false;
  const entriesRead = kind !== "file" || operation === "link";
  if (kind === "file") {
    if (NO_STATE.has(operation)) return false;
    if (operation === "unlink" && subject.startsWith(`${TEMPORARY_DIRECTORY}/`)) return false;
  }
  if (phase === "inside") return operation === "append";
  return phase === "before" || powerLoss || entriesRead;
}

const NO_STATE: ReadonlySet<Step["operation"]> = new Set(["read", "readFrom", "list", "close"]);

async function playLife(
  cluster: ModelCluster,
  note: Note,
  decide: Decide,
  over: () => boolean,
): Promise<void> {
  const { retained, broker, clock, ledger, pods, steps } = cluster;
  const wait = (what: string, condition: () => boolean) =>
    until(cluster, note, what, () => over() || condition(), decide);
  const deliver = (id: string, severity: string): void => {
    const started_on = Math.round(clock.wallMs() / 1000);
    const value = JSON.stringify(anIncident({ id, severity, started_on }));
    ledger.add(broker.produce(0, new TextEncoder().encode(value), clock.wallMs()));
  };
  const committed = (): boolean =>
    broker.partitions.every(({ log, committed: offset }) => offset === log.length);

  cluster.start("a");
  cluster.start("b");
  await wait("started", () => running(cluster).length === 2);
  deliver("incident-1", "warning");
  deliver("incident-2", "warning");
  deliver("incident-3", "warning");
  broker.rebalance([pods.get("a")?.who]);
  await wait("committed", committed);

  // One compactor is paused before its link; the other one writes that generation and the next.
  const slow = pods.get("b");
  let slept = false;
  void slow?.compact().then(() => (slept = true));
  await wait("at the link of a generation", () => {
    const waitingSteps =
      slow &&
      steps.isAt(
        slow.who,
        ({ operation, subject }) =>
          operation === "link" && subject.startsWith(`${SNAPSHOT_DIRECTORY}/`),
      );
    return slept || waitingSteps === true;
  });
  if (over()) return;
  if (slow) steps.pause(slow.who);
  for (const generation of [1, 2]) {
    let compacted = false;
    void pods
      .get("a")
      ?.compact()
      .then(() => (compacted = true));
    await wait(`generation ${generation}`, () => compacted);
    deliver(`incident-${3 + generation}`, "warning");
    await wait("committed", committed);
    if (over()) return;
  }
  if (slow) steps.resume(slow.who);
  await wait("compacted", () => slept);
  if (over()) return;

  await clock.advance(DURATIONS.retentionMs);
  let swept = false;
  void pods
    .get("a")
    ?.sweep()
    .then(() => (swept = true));
  await wait("swept", () => swept);
  if (!over() && [...cluster.volume.files(CLAIMS_DIRECTORY)].length > 0) {
    cluster.violate("every matched event becomes terminal when faults stop", "claims are left");
  }
  if (retained.highest < 2) {
    cluster.violate("a generation keeps every entry of the ones before it", "too few");
  }
}
