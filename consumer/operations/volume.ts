import { ConsumerError, systemCode } from "../errors.ts";
import { type Claim, isUnsent, type Outcome } from "../history/claims.ts";
import { readVolumeHistory, type VolumeHistory } from "../history/read-volume.ts";
import type { Files, Log, Metrics } from "../ports.ts";
import { readResolution, type Resolution } from "../resolution.ts";

/** What a command may do to the volume when it only looks: nothing. */
export type ReadableFiles = Pick<Files, "list" | "read" | "readFrom">;

/** A volume as a command sees it: read once, attempts at every call. Pods may be at work on it. */
export interface Volume {
  readonly history: VolumeHistory;
  /** What reading it complained about: damage, in one line each. */
  readonly complaints: readonly string[];
  /** Every key that has a claim, in order. A listing on a network volume may leave out the freshest. */
  readonly keys: () => Promise<string[]>;
  /** The attempts of a key in order, until the first that has no claim. */
  readonly attempts: (key: string) => Promise<Attempt[]>;
}

export interface Attempt {
  readonly claim: Claim;
  /** undefined: its owner is at work, or dead and nobody has waited for it yet. */
  readonly outcome: Outcome | undefined;
  readonly resolution: Resolution | undefined;
}

/** What nobody knows the end of, or nobody tries any more: a person may say what became of it. */
export function mayBeResolved({ outcome }: Attempt): boolean {
  if (outcome === undefined) return false;
  const undecided = outcome.outcome === "in-doubt" || outcome.outcome === "failed-not-applied";
  return undecided || isUnsent(outcome);
}

/** Throws "history-unavailable" when there is no history or it cannot be read, "history-unreadable" at a newer one. */
export async function readVolume(files: ReadableFiles, directory: string): Promise<Volume> {
  const complaints: string[] = [];
  const note = (event: string, fields: object = {}): void => {
    complaints.push(`${event} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
  const history = await reading(directory, () => readVolumeHistory(files, { log, metrics: NONE }));
  return {
    history,
    complaints,
    keys: () => reading(directory, () => keysOf(files)),
    async attempts(key) {
      const attempts: Attempt[] = [];
      for (let attempt = 1; ; attempt += 1) {
        const claim = await history.claims.readClaim(key, attempt);
        if (!claim) return attempts;
        const outcome = await history.claims.readOutcome(key, attempt);
        attempts.push({ claim, outcome, resolution: await readResolution(files, key, attempt) });
      }
    },
  };
}

export const NONE: Metrics = {
  count: () => undefined,
  observe: () => undefined,
  gauge: () => undefined,
};

async function keysOf(files: ReadableFiles): Promise<string[]> {
  const keys = new Set<string>();
  for (const directory of await files.list("claims")) {
    for (const name of await files.list(`claims/${directory}`)) {
      const key = /^([0-9a-f]{64})\.\d+\.claim$/.exec(name)?.[1];
      if (key !== undefined) keys.add(key);
    }
  }
  return [...keys].toSorted();
}

async function reading<T>(directory: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (systemCode(error) === undefined || !(error instanceof Error)) throw error;
    throw new ConsumerError("history-unavailable", `${directory}: ${error.message}`, {
      cause: error,
    });
  }
}
