import type { Timers } from "../timers.ts";
import { Group } from "./group.ts";

export interface GroupLimits {
  /** Shorter sessions are refused with INVALID_SESSION_TIMEOUT. Milliseconds, default 6000. */
  readonly sessionTimeoutMsMin: number;
  /** Longer ones too. Milliseconds, default 1800000. */
  readonly sessionTimeoutMsMax: number;
  /** How long an empty group collects its first members. Milliseconds, default 0. */
  readonly initialRebalanceDelayMs: number;
}

/** The groups of the cluster. */
export class Groups {
  readonly limits: GroupLimits;
  readonly #timers: Timers;
  readonly #groups = new Map<string, Group>();

  constructor(limits: GroupLimits, timers: Timers) {
    this.limits = limits;
    this.#timers = timers;
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
    const group = new Group(id, this.#timers, this.limits.initialRebalanceDelayMs);
    this.#groups.set(id, group);
    return group;
  }

  delete(group: Group): void {
    group.close("COORDINATOR_NOT_AVAILABLE");
    this.#groups.delete(group.id);
  }

  close(): void {
    for (const group of this.all()) this.delete(group);
  }
}
