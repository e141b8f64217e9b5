import { ConsumerError, hasCode, messageOf, systemCode } from "#consumer/errors.ts";
import { isUnsent } from "#consumer/history/claims/claims.ts";
import type { Claim, Outcome } from "#consumer/history/claims/claims.ts";
import type { AttemptOutcome } from "#consumer/history/base/entry.ts";
import { readVolumeHistory } from "#consumer/history/read-volume.ts";
import type { VolumeHistory } from "#consumer/history/read-volume.ts";
import type { Files, Log, Metrics } from "#consumer/ports.ts";
import { readResolution } from "#consumer/history/claims/resolution.ts";
import type { Resolution } from "#consumer/history/claims/resolution.ts";
import { listKeys } from "./names.ts";

/** The operations by which a command looks at the volume; none of them changes anything. */
export type ReadableFiles = Pick<Files, "list" | "read" | "readFrom">;

/** A volume as a command sees it. The journals are read once, attempts at every call. Pods may be at work on it. */
export interface Volume {
  readonly history: VolumeHistory;
  /** Damage that was found while reading, one line each. Grows with what is read. */
  readonly complaints: readonly string[];
  /** Paths of files that do not belong where they are. Grows with what is listed. */
  readonly strays: readonly string[];
  /** Returns every key that has a claim, in order. A listing on a network volume may leave out the newest. */
  readonly keys: () => Promise<string[]>;
  /** Returns the attempts of a key in order, until the first that has no claim. */
  readonly attempts: (key: string) => Promise<Attempt[]>;
}

export interface Attempt {
  readonly attempt: number;
  /**
   * "open" means that there is no outcome: the owner is at work, or it died and no pod has recorded the attempt as in
   * doubt yet. "unreadable" means that this process cannot read the outcome.
   */
  readonly state: AttemptOutcome | "open" | "unreadable";
  /** The claim, or undefined when it is damaged or this process cannot read it. */
  readonly claim: Claim | undefined;
  readonly outcome: Outcome | undefined;
  readonly resolution: Resolution | undefined;
  /** The files of the attempt that exist and cannot be read, one line for each. */
  readonly damage: readonly string[];
}

/** Returns true for an attempt that a person may resolve: its result is unknown, or no pod repeats it. */
export function mayBeResolved({ state, outcome }: Attempt): boolean {
  if (state === "in-doubt" || state === "failed-not-applied") return true;
  return outcome !== undefined && isUnsent(outcome);
}

/**
 * Reads the history of a volume. Throws "history-unavailable" when there is none or it cannot be read, and
 * "history-unreadable" when a newer consumer wrote it.
 */
export async function readVolume(files: ReadableFiles, directory: string): Promise<Volume> {
  const complaints: string[] = [];
  const strays: string[] = [];
  const note = (event: string, fields: object = {}): void => {
    complaints.push(`${event} ${JSON.stringify(fields, readable)}`);
  };
  const log: Log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
  const history = await onVolume(directory, () => readVolumeHistory(files, { log, metrics: NONE }));
  return {
    history,
    complaints,
    strays,
    keys: () => onVolume(directory, () => listKeys(files, { strays, complaints })),
    async attempts(key) {
      const attempts: Attempt[] = [];
      for (let attempt = 1; ; attempt += 1) {
        const claim = await readFile(() => history.claims.readClaim(key, attempt));
        if (!claim) return attempts;
        const outcome = await readFile(() => history.claims.readOutcome(key, attempt));
        const resolution = await readFile(() => readResolution(files, key, attempt));
        attempts.push({
          attempt,
          state: stateOf(outcome),
          claim: claim.content,
          outcome: outcome?.content,
          resolution: resolution?.content,
          damage: [claim, outcome, resolution].flatMap((file) => file?.damage ?? []),
        });
      }
    },
  };
}

/** Returns the state as a pod sees it: a damaged outcome is in doubt. */
function stateOf(outcome: FileOf<Outcome> | undefined): Attempt["state"] {
  if (!outcome) return "open";
  if (outcome.content) return outcome.content.outcome;
  return outcome.isDamaged ? "in-doubt" : "unreadable";
}

interface FileOf<T> {
  /** The content, or undefined when the file cannot be read. */
  readonly content: T | undefined;
  readonly damage?: string;
  /** True when no process can read the file, and not this one alone. */
  readonly isDamaged: boolean;
}

/** Reads one file. A file that cannot be read is described in `damage`, so that it does not end the command. */
async function readFile<T>(read: () => Promise<T | undefined>): Promise<FileOf<T> | undefined> {
  try {
    const content = await read();
    return content === undefined ? undefined : { content, isDamaged: false };
  } catch (error) {
    if (!(error instanceof ConsumerError) && systemCode(error) === undefined) throw error;
    const isDamaged = hasCode(error, "history-damaged");
    return { content: undefined, damage: messageOf(error), isDamaged };
  }
}

export const NONE: Metrics = {
  count: () => undefined,
  observe: () => undefined,
  gauge: () => undefined,
};

/** Runs work on a volume. Throws the errors of the volume as "history-unavailable", with the directory. */
export async function onVolume<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || !(error instanceof Error)) throw error;
    const hint = code === "ENOENT" ? "is a history there? Check --directory or $HISTORY_DIR. " : "";
    throw new ConsumerError("history-unavailable", `${directory}: ${hint}${error.message}`, {
      cause: error,
    });
  }
}

function readable(_name: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}
