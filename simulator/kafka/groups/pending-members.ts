import type { Timer, Timers } from "#simulator/kafka/cluster/timers.ts";

/**
 * Member ids that were given out with MEMBER_ID_REQUIRED and whose owners have not come back yet
 * (KIP-394).
 */
export class PendingMembers {
  readonly #timers: Timers;
  readonly #onGone: () => void;
  readonly #byId = new Map<string, Timer>();

  /** `onGone` is called when the owner of an id has stayed away too long. */
  constructor(timers: Timers, onGone: () => void) {
    this.#timers = timers;
    this.#onGone = onGone;
  }

  get size(): number {
    return this.#byId.size;
  }

  add(id: string, timeoutMs: number): void {
    const expire = (): void => {
      this.#byId.delete(id);
      this.#onGone();
    };
    this.#byId.set(id, this.#timers.after(timeoutMs, expire));
  }

  /** Removes an id. Returns false when it was not pending. */
  take(id: string): boolean {
    this.#byId.get(id)?.cancel();
    return this.#byId.delete(id);
  }

  clear(): void {
    for (const id of this.#byId.keys()) this.take(id);
  }
}
