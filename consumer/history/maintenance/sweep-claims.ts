import { hasCode } from "#consumer/errors.ts";
import type { Files, Log, Random } from "#consumer/ports.ts";
import { CLAIM_SHARDS, claimsDirectory } from "#consumer/history/base/layout.ts";
import { deleteNames, listNames, namesByKey } from "./claim-names.ts";
import type { Names } from "./claim-names.ts";
import { completeKey } from "./complete-key.ts";
import type { CompleteKeyOptions, KeySettings } from "./complete-key.ts";
import type { Horizon } from "./horizon.ts";

/** The number of shards that one round lists: all of them are seen every sixteen rounds. */
const SHARDS_PER_ROUND = 16;

export interface SweepSettings extends KeySettings {
  readonly eventAgeMsMax: number;
  /** The largest number of keys that one round reads. */
  readonly keysMax: number;
}

export interface ClaimSweepOptions extends CompleteKeyOptions {
  readonly files: Files;
  readonly horizon: Pick<Horizon, "publish">;
  readonly random: Random;
  readonly log: Log;
  readonly settings: SweepSettings;
}

/** Completes and deletes the claims of events that are too old to come back. */
export interface ClaimSweep {
  /** Runs one bounded round; the next one continues after it. Throws the volume's errors and the reason of `giveUp`. */
  round(giveUp: AbortSignal): Promise<void>;
}

/** The files of a key that may be deleted once the horizon has passed its start. */
interface Deletable {
  readonly directory: string;
  readonly key: string;
  readonly names: Names;
  readonly startedOnMs: number;
}

/**
 * A key is swept only when its event is older than the largest age plus the largest skew, so that it is too old for
 * every pod. The last attempt then is the end of the key. An attempt without an outcome gets `in-doubt`. An end other
 * than `done` gets its dead letter, unless the index knows that it was acknowledged. The files of a completed key are
 * deleted only when every pod knows the horizon and begins no attempt for it, whatever its clock or its age limit is.
 */
export function createClaimSweep(options: ClaimSweepOptions): ClaimSweep {
  const { files, horizon, index, clock, random, log, settings } = options;
  const { eventAgeMsMax, clockSkewMsMax } = settings;
  let shard = Math.floor(random.next() * CLAIM_SHARDS);
  let after = "";

  const isOver = (startedOnMs: number): boolean =>
    clock.wallMs() - startedOnMs > eventAgeMsMax + clockSkewMsMax;

  const complete = async (
    key: string,
    names: Names,
    giveUp: AbortSignal,
  ): Promise<number | undefined> => {
    try {
      return await completeKey(key, names, isOver, giveUp, options);
    } catch (error) {
      if (!hasCode(error, "history-unreadable") && !hasCode(error, "history-damaged")) throw error;
      // Files that this version does not understand are never deleted.
      log.error("history.sweep.unreadable", { key, error });
      return undefined;
    }
  };

  /** Sweeps one shard; returns true when nothing of it is left for the next round. */
  const sweepShard = async (
    directory: string,
    budget: { keys: number },
    completed: Deletable[],
    giveUp: AbortSignal,
  ): Promise<boolean> => {
    for (const [key, names] of namesByKey(await listNames(files, directory))) {
      if (key <= after) continue;
      const known = index.find(key);
      if (known && !isOver(known.startedOnMs)) continue;
      if (budget.keys === 0) return false;
      giveUp.throwIfAborted();
      budget.keys -= 1;
      after = key;
      const startedOnMs = await complete(key, names, giveUp);
      if (startedOnMs !== undefined) completed.push({ directory, key, names, startedOnMs });
    }
    return true;
  };

  const release = async (completed: readonly Deletable[], giveUp: AbortSignal): Promise<void> => {
    if (completed.length === 0) return;
    const startsMs = completed.map(({ startedOnMs }) => startedOnMs);
    await horizon.publish(Math.max(...startsMs), giveUp);
    const deletable = new Map<string, string[]>();
    for (const { directory, key, names } of completed) {
      giveUp.throwIfAborted();
      // Another attempt may have begun before every pod knew the horizon, so the key is read again.
      if ((await complete(key, names, giveUp)) === undefined) continue;
      deletable.set(directory, [...(deletable.get(directory) ?? []), ...names.names]);
    }
    for (const [directory, names] of deletable) {
      await deleteNames(directory, names, files);
      log.info("history.swept", { directory, files: names.length });
    }
  };

  return {
    async round(giveUp) {
      const budget = { keys: settings.keysMax };
      const completed: Deletable[] = [];
      try {
        for (let count = 0; count < SHARDS_PER_ROUND; count += 1) {
          const directory = claimsDirectory(shard);
          if (!(await sweepShard(directory, budget, completed, giveUp))) return;
          shard = (shard + 1) % CLAIM_SHARDS;
          after = "";
        }
      } finally {
        if (!giveUp.aborted) await release(completed, giveUp);
      }
    },
  };
}
