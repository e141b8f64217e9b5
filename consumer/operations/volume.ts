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

/** A volume as a command sees it: read once, attempts at every call. Pods may be at work on it. */
export interface Volume {
  readonly history: VolumeHistory;
  /** Damage that was found while reading, one line each. Grows with what is read. */
  readonly complaints: readonly string[];
  /** Names that do not belong where they are; nothing is done about them. Grows with what is listed. */
  readonly strays: readonly string[];
  /** Every key that has a claim, in order. A listing on a network volume may leave out the freshest. */
  readonly keys: () => Promise<string[]>;
  /** The attempts of a key in order, until the first that has no claim. */
  readonly attempts: (key: string) => Promise<Attempt[]>;
}

export interface Attempt {
  readonly attempt: number;
  /** open: its owner is at work, or dead and nobody has waited for it yet. unreadable: nobody here can know. */
  readonly state: AttemptOutcome | "open" | "unreadable";
  /** undefined: damaged, or not to be read by this command. */
  readonly claim: Claim | undefined;
  readonly outcome: Outcome | undefined;
  readonly resolution: Resolution | undefined;
  /** Files of it that are there and cannot be read, one line for each. */
  readonly damage: readonly string[];
}

/** Returns true for an attempt whose result nobody knows or that nobody repeats: a person may resolve it. */
export function mayBeResolved({ state, outcome }: Attempt): boolean {
  if (state === "in-doubt" || state === "failed-not-applied") return true;
  return outcome !== undefined && isUnsent(outcome);
}

/** Throws "history-unavailable" when there is no history or it cannot be read, "history-unreadable" at a newer one. */
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
  /** undefined: it cannot be read. */
  readonly content: T | undefined;
  readonly damage?: string;
  /** Nobody can read it, and not only this command. */
  readonly isDamaged: boolean;
}

/** One file that cannot be read ends no command: it is said what is wrong with it. */
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

/** Throws what the volume says as "history-unavailable", with the directory. */
export async function onVolume<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (systemCode(error) === undefined || !(error instanceof Error)) throw error;
    throw new ConsumerError("history-unavailable", `${directory}: ${error.message}`, {
      cause: error,
    });
  }
}

function readable(_name: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}
