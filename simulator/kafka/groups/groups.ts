import type { GenerationFormed } from "#simulator/kafka/protocol/events.ts";
import type { Timers } from "#simulator/kafka/cluster/timers.ts";
import { Group } from "./group.ts";
import { CommittedOffsets } from "./offsets.ts";
import type { OffsetChange } from "./offsets.ts";

export interface GroupLimits {
  /** Shorter sessions are refused with INVALID_SESSION_TIMEOUT. Milliseconds, default 6000. */
  readonly sessionTimeoutMsMin: number;
  /** Longer ones too. Milliseconds, default 1800000. */
  readonly sessionTimeoutMsMax: number;
  /** How long an empty group collects its first members. Milliseconds, default 0. */
  readonly initialRebalanceDelayMs: number;
}

/** What is to be kept of a group. */
export type GroupChange = OffsetChange | { readonly type: "group-deleted" };

export interface GroupListeners {
  /** Told what is to be kept, before it counts; `group-deleted` when the group is forgotten. */
  readonly changed?: (group: string, change: GroupChange) => void;
  /** Told when a group has a new generation that is assigned, or nobody in it. */
  readonly formed?: (generation: Omit<GenerationFormed, "atMs">) => void;
}

/** The groups of the cluster. */
export class Groups {
  readonly limits: GroupLimits;
  readonly #timers: Timers;
  readonly #listeners: GroupListeners;
  readonly #groups = new Map<string, Group>();

  constructor(limits: GroupLimits, timers: Timers, listeners: GroupListeners = {}) {
    this.limits = limits;
    this.#timers = timers;
    this.#listeners = listeners;
  }

  all(): readonly Group[] {
    return [...this.#groups.values()];
  }

  get(id: string): Group | undefined {
    return this.#groups.get(id);
  }

  getOrCreate(id: string): Group {
    const known = this.#groups.get(id);
    if (known !== undefined) return known;
    const { changed, formed } = this.#listeners;
    const offsets = new CommittedOffsets((change) => changed?.(id, change));
    const { initialRebalanceDelayMs } = this.limits;
    const group = new Group(id, this.#timers, initialRebalanceDelayMs, offsets, formed);
    this.#groups.set(id, group);
    return group;
  }

  delete(group: Group): void {
    this.#listeners.changed?.(group.id, { type: "group-deleted" });
    this.#close(group);
  }

  close(): void {
    for (const group of this.all()) this.#close(group);
  }

  #close(group: Group): void {
    group.close("COORDINATOR_NOT_AVAILABLE");
    this.#groups.delete(group.id);
  }
}
