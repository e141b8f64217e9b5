import type { DependencyState } from "./ports.ts";

/** What fails at present and is tried again; not ready from the first one until the last is over. */
export interface Troubles {
  /** With the reason of the oldest. */
  readonly state: DependencyState;
  /** Begins a trouble, or changes its reason. True when it is new. */
  note(trouble: unknown, reason: string): boolean;
  /** True when there was one. */
  forget(trouble: unknown): boolean;
}

export function createTroubles(): Troubles {
  const reasons = new Map<unknown, string>();
  return {
    get state(): DependencyState {
      const [reason] = reasons.values();
      return reason === undefined ? { ready: true } : { ready: false, reason };
    },
    note(trouble, reason) {
      const isNew = !reasons.has(trouble);
      reasons.set(trouble, reason);
      return isNew;
    },
    forget: (trouble) => reasons.delete(trouble),
  };
}
