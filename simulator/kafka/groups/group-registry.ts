import type { GenerationFormed } from "#simulator/kafka/protocol/protocol-event.ts";
import type { Timers } from "#simulator/kafka/cluster/timers.ts";
import { Group } from "./group.ts";

export interface GroupLimits {
  /**
   * Shorter session timeouts are refused with INVALID_SESSION_TIMEOUT. Milliseconds. Defaults to
   * 6000.
   */
  readonly sessionTimeoutMsMin: number;
  /** Longer session timeouts are refused too. Milliseconds. Defaults to 1800000. */
  readonly sessionTimeoutMsMax: number;
  /** The time for which an empty group collects its first members. Milliseconds. Defaults to 0. */
  readonly initialRebalanceDelayMs: number;
}

/** The groups of the cluster. */
export class GroupRegistry {
  readonly limits: GroupLimits;
  readonly #timers: Timers;
  readonly #onFormed: (generation: Omit<GenerationFormed, "atMs">) => void;
  readonly #groups = new Map<string, Group>();

  /** `onFormed` is called when a group has a new generation: an assigned one, or one without members. */
  constructor(
    limits: GroupLimits,
    timers: Timers,
    onFormed: (generation: Omit<GenerationFormed, "atMs">) => void,
  ) {
    this.limits = limits;
    this.#timers = timers;
    this.#onFormed = onFormed;
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
    const group = new Group(id, this.#timers, this.limits.initialRebalanceDelayMs, this.#onFormed);
    this.#groups.set(id, group);
    return group;
  }

  close(): void {
    for (const group of this.all()) this.delete(group);
  }

  delete(group: Group): void {
    group.close("COORDINATOR_NOT_AVAILABLE");
    this.#groups.delete(group.id);
  }
}
