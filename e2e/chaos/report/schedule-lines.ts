import type { Line, Span } from "#e2e/report/live-block.ts";
import type { PlayedStep } from "#e2e/chaos/engine/played-step.ts";
import type { ScheduleProgress } from "#e2e/chaos/engine/schedule-scenario.ts";
import type { PodPhase, PodState } from "./pod-state.ts";

/** A running schedule, as it is shown on a terminal. */
export interface WatchedSchedule {
  /** The name, such as `#1`. */
  readonly name: string;
  readonly progress: Pick<ScheduleProgress, "schedule" | "phase" | "steps" | "published">;
  readonly elapsedMs: number;
  readonly pods: readonly PodState[];
}

/**
 * The word for each phase. Pods are not shown any more once the schedule is judged, since they are
 * taken down.
 */
const PHASES = {
  deploying: "deploying",
  playing: "playing",
  converging: "converging",
  ended: "judging",
} as const satisfies Record<ScheduleProgress["phase"], string>;

const PHASE_STYLES: Readonly<Record<PodPhase | "frozen", NonNullable<Span["style"]>>> = {
  scheduled: "dim",
  "waiting for certificates": "yellow",
  starting: "yellow",
  ready: "green",
  unready: "yellow",
  frozen: "cyan",
  draining: "yellow",
  restarting: "red",
  stopped: "dim",
  gone: "dim",
};

const PHASE_WIDTH = Math.max(...Object.keys(PHASE_STYLES).map(({ length }) => length));
const SCHEDULE_PHASE_WIDTH = Math.max(...Object.values(PHASES).map(({ length }) => length));
const RECORDS_WIDTH = 4;
const SECONDS_WIDTH = 3;
const COLUMN_GAP = "  ";

/** Returns one line for the schedule, and one for each of its pods. */
export function scheduleLines(watched: WatchedSchedule): Line[] {
  const { progress, pods } = watched;
  return [
    scheduleLine(watched),
    ...(progress.phase === "ended" ? [] : podLines(pods, progress.steps)),
  ];
}

/**
 * Returns the line of a schedule. The most important parts come first, since the end of the line is
 * cut where the terminal is narrow.
 */
function scheduleLine({ name, progress, elapsedMs }: WatchedSchedule): Line {
  const { schedule, phase, steps, published } = progress;
  const total = schedule.steps.length;
  const count = (outcome: PlayedStep["outcome"]): number =>
    steps.filter((step) => step.outcome === outcome).length;
  const missed = count("missed") + count("never-fired");
  const current = steps.find(({ outcome, reached }) => outcome === "open" && reached === null);
  const number = String(current?.number ?? steps.length).padStart(String(total).length);
  const isWaiting = phase === "playing" && current !== undefined;
  const faults = steps.filter(({ inForce }) => inForce).map(({ fault }) => fault);
  const waitWidth = Math.max(0, ...schedule.steps.map(({ when }) => waitText(when.trigger).length));
  return [
    { text: `${name} seed ${schedule.seed}`, style: "bold" },
    { text: `${COLUMN_GAP}${PHASES[phase].padEnd(SCHEDULE_PHASE_WIDTH)} ${number}/${total}` },
    { text: `${COLUMN_GAP}${String(Math.floor(elapsedMs / 1000)).padStart(SECONDS_WIDTH)} s` },
    { text: COLUMN_GAP },
    { text: (isWaiting ? waitText(current.trigger) : "").padEnd(waitWidth), style: "dim" },
    { text: `${COLUMN_GAP}${count("fired")} fired${COLUMN_GAP}${missed} missed` },
    { text: `${COLUMN_GAP}${String(published).padStart(RECORDS_WIDTH)} records` },
    {
      text: faults.length === 0 ? "" : `${COLUMN_GAP}in force: ${faults.join(", ")}`,
      style: "yellow",
    },
  ];
}

function waitText(trigger: string): string {
  return `waits for ${trigger}`;
}

function podLines(pods: readonly PodState[], steps: readonly PlayedStep[]): Line[] {
  const names = pods.map(({ name }) => shortName(name));
  const width = Math.max(0, ...names.map(({ length }) => length));
  return pods.map((pod, index) => {
    const faults = steps.filter((step) => step.inForce && step.pod === pod.name);
    const phase = isFrozen(pod, faults) ? "frozen" : pod.phase;
    const isOwner = pod.partitions.includes(0);
    const ordinal = pod.phase === "gone" ? "-" : String(index + 1);
    const notes = [
      pod.partitions.length === 0 ? "" : `partitions ${pod.partitions.join(" ")}`,
      endText(pod),
      faults.map(({ fault }) => fault).join(", "),
    ];
    return [
      { text: `  ${ordinal.padStart(2)} ${names[index]!.padEnd(width)}${COLUMN_GAP}` },
      { text: (isOwner ? "owner" : "").padEnd("owner".length + COLUMN_GAP.length) },
      { text: phase.padEnd(PHASE_WIDTH), style: PHASE_STYLES[phase] },
      { text: notes.map((note) => (note === "" ? "" : `${COLUMN_GAP}${note}`)).join("") },
    ];
  });
}

/**
 * Returns true when a fault has frozen the container. A container that was started afterwards is
 * running.
 */
function isFrozen({ startedAtMs }: PodState, faults: readonly PlayedStep[]): boolean {
  return faults.some(
    ({ fault, reached }) =>
      fault === "pod.freeze" &&
      startedAtMs !== null &&
      reached !== null &&
      startedAtMs <= reached.atMs,
  );
}

function endText({ restarts, exitCode }: PodState): string {
  const exit = exitCode === null ? "" : `exit ${exitCode}`;
  if (restarts === 0) return exit;
  return `${restarts} ${restarts === 1 ? "restart" : "restarts"}${exit === "" ? "" : `, ${exit}`}`;
}

/** Shortens `kafka-consumer-5d8f7-x2x4k` to `5d8f7-x2x4k`, which is the version and the pod. */
function shortName(name: string): string {
  return name.split("-").slice(-2).join("-");
}
