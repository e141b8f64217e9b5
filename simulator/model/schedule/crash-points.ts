import {
  CLAIMS_DIRECTORY,
  HORIZON_DIRECTORY,
  JOURNAL_DIRECTORY,
  SNAPSHOT_DIRECTORY,
} from "#consumer/history/base/layout.ts";
import type { Waiting } from "#fixtures/ports/interleaving.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";

/**
 * Places in the life of an action at which a process can die. The exhaustive test hits every one.
 */
export const CRASH_POINTS = [
  "temporary half-written",
  "written unsynced",
  "synced before link",
  "link applied but reply lost",
  "linked before act",
  "request sent",
  "response before outcome",
  "outcome temporary",
  "outcome linked before journal",
  "torn append",
  "commit sent but reply lost",
  "snapshot temporary",
  // A generation gets its name by link(2), the contract file by rename(2).
  "synced before rename",
  "renamed before old journal deleted",
  "journal deleted",
  "old compactor wakes",
  "during claim deletion",
  "horizon temporary",
  "horizon named unsynced",
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

/** Finds out at which crash points processes are, from the steps that they take. */
export interface CrashPoints {
  follow(entry: Waiting<Step, StepResult>, how: StepResult): void;
  /**
   * Returns all crash points of a process that dies before this step or, with `inside`, during it.
   */
  at(who: string, step: Step, inside: boolean): readonly CrashPoint[];
}

/** `highestGeneration` returns the highest generation on the volume at present. */
export function createCrashPoints(highestGeneration: () => number): CrashPoints {
  /** The number of requests by process that were answered and whose outcome is not written yet. */
  const answered = new Map<string, number>();
  /** Processes that have deleted a journal and have done nothing since. */
  const deleted = new Set<string>();

  return {
    follow({ who, what }, how) {
      const { kind, phase, purpose, operation, subject } = what;
      if (kind === "send" && (phase === "after" || how.kind === "go")) {
        answered.set(who, (answered.get(who) ?? 0) + 1);
      }
      if (purpose === "outcome" && operation === "append") {
        answered.set(who, Math.max((answered.get(who) ?? 0) - 1, 0));
      }
      if (operation === "unlink" && subject.startsWith(`${JOURNAL_DIRECTORY}/`)) deleted.add(who);
      else deleted.delete(who);
    },
    at(who, step, inside) {
      const point = inside ? pointInside(step) : pointBefore(step, highestGeneration());
      const points = point ? [point] : [];
      if ((answered.get(who) ?? 0) > 0) points.push("response before outcome");
      if (deleted.has(who)) points.push("journal deleted");
      return points;
    },
  };
}

function pointInside({ purpose }: Step): CrashPoint | undefined {
  if (purpose === "claim") return "temporary half-written";
  if (purpose === "horizon") return "horizon temporary";
  if (purpose === "outcome") return "outcome temporary";
  if (purpose === "journal") return "torn append";
  return purpose === "snapshot" ? "snapshot temporary" : undefined;
}

function pointBefore(step: Step, highestGeneration: number): CrashPoint | undefined {
  const { kind, phase, operation, subject, purpose } = step;
  if (kind === "send") return phase === "before" ? "linked before act" : "request sent";
  if (kind === "commit") return phase === "after" ? "commit sent but reply lost" : undefined;
  if (subject === HORIZON_DIRECTORY && operation === "syncDirectory") {
    return "horizon named unsynced";
  }
  if (subject.startsWith(`${HORIZON_DIRECTORY}/`)) {
    if (operation !== "link" && operation !== "rename") return undefined;
    return phase === "after" ? "horizon named unsynced" : "horizon temporary";
  }
  if (operation === "link") return pointOfLink(subject, phase, highestGeneration);
  if (operation === "unlink" && subject.startsWith(`${CLAIMS_DIRECTORY}/`)) {
    return "during claim deletion";
  }
  if (operation === "unlink" && subject.startsWith(`${JOURNAL_DIRECTORY}/`)) {
    return phase === "before" ? "renamed before old journal deleted" : "journal deleted";
  }
  if (operation === "syncDirectory" && subject === SNAPSHOT_DIRECTORY) {
    return "renamed before old journal deleted";
  }
  const synced = operation === "close" || phase === "after";
  switch (purpose) {
    case "claim":
      if (operation === "dataSync") return synced ? "synced before link" : "written unsynced";
      return operation === "close" ? "synced before link" : undefined;
    case "outcome":
      return "outcome temporary";
    case "journal":
      return operation === "append" && phase === "before"
        ? "outcome linked before journal"
        : undefined;
    case "horizon":
      return "horizon temporary";
    case "snapshot":
      return operation === "close" ? "synced before rename" : "snapshot temporary";
    case "view":
    case "other":
    case undefined:
      return undefined;
  }
  return undefined;
}

function pointOfLink(
  path: string,
  phase: Step["phase"],
  highestGeneration: number,
): CrashPoint | undefined {
  const after = phase === "after";
  if (path.endsWith(".claim")) return after ? "link applied but reply lost" : "synced before link";
  if (path.endsWith(".outcome")) {
    return after ? "outcome linked before journal" : "outcome temporary";
  }
  if (!path.startsWith(`${SNAPSHOT_DIRECTORY}/`)) return undefined;
  if (after) return "renamed before old journal deleted";
  const isLate = Number(path.slice(`${SNAPSHOT_DIRECTORY}/`.length)) <= highestGeneration;
  return isLate ? "old compactor wakes" : "synced before rename";
}
