import type { ReachedTrigger, TriggerContext } from "#e2e/chaos/trigger-kind.ts";

/** Counts how often a moment has come in the awaited pod, up to the wanted number. */
export class MomentCount {
  readonly #context: Pick<TriggerContext, "pod" | "ordinal" | "signal">;
  readonly #reached = Promise.withResolvers<ReachedTrigger>();
  #count = 0;

  constructor(context: Pick<TriggerContext, "pod" | "ordinal" | "signal">) {
    this.#context = context;
  }

  get reached(): Promise<ReachedTrigger> {
    return this.#reached.promise;
  }

  /** Counts the moment once more. Returns true when this is the awaited time. */
  isTheOne(pod: string): boolean {
    const { pod: wanted, ordinal, signal } = this.#context;
    if (signal.aborted || (wanted !== null && wanted !== pod)) return false;
    this.#count += 1;
    return this.#count === ordinal;
  }

  reach(pod: string, detail: string): void {
    this.#reached.resolve({ atMs: Date.now(), pod, detail });
  }
}
