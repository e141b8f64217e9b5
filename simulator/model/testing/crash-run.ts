import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { anIncident } from "#fixtures/incidents.ts";
import { drawsReplay, drawsSweep, type Ending, settle } from "#simulator/model/schedule/calm.ts";
import { type Decide, type Note, running, until } from "#simulator/model/schedule/progress.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import { createStepRandom } from "#simulator/model/step-random.ts";
import { GO, type Step } from "#simulator/model/steps.ts";
import { type Answer, ANSWERS } from "#simulator/model/parts/action-endpoint.ts";
import { type Violation, type Model, createModel } from "#simulator/model/model.ts";

/** before: the step has no effect. after: it has, and nobody hears of it. inside: a part of it. */
type CrashPhase = "before" | "inside" | "after";

export interface CrashCase {
  /** Which step of the life, from 0; -1 for none. */
  readonly at: number;
  readonly phase: CrashPhase;
  /** Every machine loses power with the process. */
  readonly powerLoss: boolean;
}

const ENDS: readonly (readonly [CrashPhase, boolean])[] = [
  ["before", false],
  ["inside", false],
  ["inside", true],
  ["after", false],
  ["after", true],
];

export interface CrashRun {
  /** False when the life ended before its `at`-th step. */
  readonly crashed: boolean;
  /** How many steps the life has, when it was not cut short. */
  readonly length: number;
  /** Every crash that leaves a state of its own, of a life that was not cut short. */
  readonly cases: readonly CrashCase[];
  /** Names of the crash points that the process stood at. */
  readonly points: readonly string[];
  readonly violations: readonly Violation[];
  readonly trace: readonly string[];
}

/**
 * The life of a few actions, from the first delivery to the compaction of what they left, in one order; its `at`-th step
 * (from 0) is a crash of who takes it, with loss of power if `powerLoss`. Then others bring it to its end.
 */
export async function runWithCrash({ at, phase, powerLoss }: CrashCase): Promise<CrashRun> {
  let answers = 0;
  const model = createModel({
    seed: 1,
    partitions: 1,
    answer: () => nextAnswer((answers += 1)),
    batchSize: () => 2,
  });
  const { ledger } = model;
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
      for (const [end, power] of ENDS) {
        if (hasPhase(what, end, power)) cases.push({ at: length, phase: end, powerLoss: power });
      }
      length += 1;
    }
    if (!isIt) return { how: GO, crash: false };
    crashed = true;
    const standing = phase === "after" ? { ...entry, what: { ...what, phase } as const } : entry;
    if (phase === "after") model.follow(entry);
    for (const point of model.crashPoints(standing, phase === "inside")) points.add(point);
    if (phase === "before") return { crash: true };
    if (phase === "after") return { how: { kind: "hold" }, crash: true };
    const bytes = Math.floor((what.bytes ?? 0) / 2);
    return { how: { kind: "tear", code: "EIO", bytes }, crash: true };
  };

  await live(model, note, decide, () => crashed);
  if (crashed) {
    if (powerLoss) {
      for (const { who } of model.pods.values()) model.broker.leave(who);
      model.losePower();
    }
    note(powerLoss ? "power is lost" : "others go on");
  }
  for (const { who } of model.pods.values()) model.steps.resume(who);
  if (model.violations.length === 0) await settle(model, endingOf(at), note);
  return { crashed, length, cases, points: [...points], violations: model.violations, trace };
}

function endingOf(seed: number): Ending {
  const replay = createStepRandom(seed, "replay");
  const sweep = createStepRandom(seed, "sweep");
  return {
    replay: drawsReplay(replay) ? replay : undefined,
    sweep: drawsSweep(sweep) ? sweep : undefined,
    recovery: createSeededRandom(seed),
  };
}

/** done; then in doubt; then not applied, three times; then done. */
function nextAnswer(number: number): Answer {
  const index = [0, 3, 1, 1, 1][number - 1] ?? 0;
  return ANSWERS[index] ?? { result: { outcome: "done", detail: "" }, applied: true };
}

/**
 * What leaves a state of its own on the volume or at the broker: a process that dies behind a step is in the same
 * state as one that dies before its next one, unless power is lost with it, or the other side has to know.
 */
function hasPhase(
  { kind, operation, subject }: Step,
  phase: CrashPhase,
  powerLoss: boolean,
): boolean {
  if (kind === "fetch" || kind === "notice") return false;
  const heard = kind !== "file" || operation === "link";
  if (kind === "file") {
    if (NO_STATE.has(operation)) return false;
    if (operation === "unlink" && subject.startsWith("temporary/")) return false;
  }
  if (phase === "inside") return operation === "append";
  return phase === "before" || powerLoss || heard;
}

const NO_STATE: ReadonlySet<Step["operation"]> = new Set(["read", "readFrom", "list", "close"]);

async function live(model: Model, note: Note, decide: Decide, over: () => boolean): Promise<void> {
  const { archive, broker, clock, ledger, pods, steps } = model;
  const wait = (what: string, condition: () => boolean) =>
    until(model, note, what, () => over() || condition(), decide);
  const deliver = (id: string, severity: string): void => {
    const started_on = Math.round(clock.wallMs() / 1000);
    const value = JSON.stringify(anIncident({ id, severity, started_on }));
    ledger.add(broker.produce(0, new TextEncoder().encode(value), clock.wallMs()));
  };
  const committed = (): boolean =>
    broker.partitions.every(({ log, committed: offset }) => offset === log.length);

  model.start("a");
  model.start("b");
  await wait("started", () => running(model).length === 2);
  deliver("incident-1", "warning");
  deliver("incident-2", "warning");
  deliver("incident-3", "warning");
  broker.rebalance([pods.get("a")?.who]);
  await wait("committed", committed);

  // One compactor sleeps in front of its link; the other makes the generation, and then the next one.
  const slow = pods.get("b");
  let slept = false;
  void slow?.compact().then(() => (slept = true));
  await wait("at the link of a generation", () => {
    const standing =
      slow &&
      steps.isAt(
        slow.who,
        ({ operation, subject }) => operation === "link" && subject.startsWith("snapshot/"),
      );
    return slept || standing === true;
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
  if (!over() && [...model.volume.files("claims")].length > 0) {
    model.violate("every matched event becomes terminal when faults stop", "claims are left");
  }
  if (archive.highest < 2) model.violate("generations keep the union, and never shrink", "too few");
}
