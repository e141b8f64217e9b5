import type { VolumeClock } from "./base/volume-clock.ts";
import { forgetSeen } from "./control/forget-seen.ts";
import type { Pause } from "./control/pause.ts";
import type { JournalWriter } from "./journal/journal-writer.ts";
import { createCompactor } from "./maintenance/compaction.ts";
import type { CompactionOptions } from "./maintenance/compaction.ts";
import type { Horizon } from "./maintenance/horizon.ts";
import { createLeftovers } from "./maintenance/leftovers.ts";
import { createClaimSweep } from "./maintenance/sweep-claims.ts";
import type { ClaimSweepOptions, SweepSettings } from "./maintenance/sweep-claims.ts";
import { startSweeper } from "./maintenance/sweeper.ts";
import type { Sweeper } from "./maintenance/sweeper.ts";

export interface SweepingOptions {
  readonly settings: Omit<SweepSettings, "keysMax"> & {
    /** The pause between two rounds, in milliseconds. */
    readonly intervalMs: number;
    /** The largest number of keys in one round. Defaults to 1000. */
    readonly keysMax?: number;
    /** The number of new entries that are merged into a snapshot at once; fewer wait for an hour. Defaults to 1000. */
    readonly snapshotEntriesMin?: number;
    /** The age at which a temporary file counts as left by a dead pod, in milliseconds. Defaults to one hour. */
    readonly leftoverAgeMs?: number;
  };
  readonly publish: ClaimSweepOptions["publish"];
  /** Further work of each round, done last. Defaults to none. */
  readonly also?: readonly ((giveUp: AbortSignal) => Promise<void>)[];
  readonly stopping: AbortSignal;
}

/** Runs one round on demand. */
export type Sweeping = Pick<Sweeper, "round">;

interface MaintenanceParts extends Omit<ClaimSweepOptions, "settings" | "publish" | "horizon"> {
  readonly clock: VolumeClock;
  readonly horizon: Horizon;
  readonly pause: Pick<Pause, "read">;
  readonly journal: JournalWriter;
  readonly compaction: CompactionOptions;
}

/** Starts the maintenance of a volume: compaction, old claims, the files of the horizon, and leftovers of dead pods. */
export function startMaintenance(
  { horizon, pause, journal, compaction, ...parts }: MaintenanceParts,
  { settings, publish, also = [], stopping }: SweepingOptions,
): Sweeper {
  const { files, clock, random, log } = parts;
  const { intervalMs, keysMax = 1000, leftoverAgeMs: ageMs = 3_600_000 } = settings;
  const { snapshotEntriesMin = 1000 } = settings;
  const compactor = createCompactor(journal, compaction, snapshotEntriesMin);
  const leftovers = createLeftovers({ files, clock, log, ageMs });
  const claimSweep = createClaimSweep({
    ...parts,
    horizon,
    publish,
    settings: { ...settings, keysMax },
  });
  return startSweeper({
    parts: [
      () => compactor.round(),
      // The sweep ends keys that are old, and while the work is paused nothing ends because it is old.
      async (giveUp) => {
        if (!(await pause.read()).paused) await claimSweep.round(giveUp);
      },
      (giveUp) => horizon.fold(giveUp),
      () => leftovers.round(),
      () => forgetSeen(files, clock),
      ...also,
    ],
    clock,
    random,
    log,
    intervalMs,
    stopping,
  });
}
