import type { Clock, DependencyState } from "#consumer/ports.ts";

/** What fails at present and is tried again, by its causes: not ready while any of them lasts. */
export interface Troubles {
  /** With the reason of the oldest cause. */
  readonly state: DependencyState;
  /** Begins a trouble, or changes its reason. `cause`: what it shares with others; default itself. True when it is new. */
  note(trouble: unknown, reason: string, cause?: unknown): boolean;
  /** True when there was one. */
  forget(trouble: unknown): boolean;
}

interface TroublesOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** A cause makes unready when it has lasted for so long. Default 0. */
  readonly patienceMs?: number;
  /** A cause that comes back within this time is one that lasts: it is over when it stayed away for as long. Default 0. */
  readonly calmMs?: number;
}

interface Cause {
  reason: string;
  readonly troubles: Set<unknown>;
  /** Monotonic clock. */
  readonly sinceMs: number;
  overMs: number;
  /** It was over, and came back. */
  recurring: boolean;
}

/** `options`: for causes that may come and go. */
export function createTroubles(options?: TroublesOptions): Troubles {
  const { clock, patienceMs = 0, calmMs = 0 } = options ?? {};
  const nowMs = (): number => clock?.monotonicMs() ?? 0;
  const causes = new Map<unknown, Cause>();
  const causeOf = new Map<unknown, unknown>();

  const isPast = ({ troubles, overMs }: Cause): boolean =>
    troubles.size === 0 && nowMs() - overMs >= calmMs;

  const reasonOf = ({ reason, troubles, sinceMs, overMs, recurring }: Cause) => {
    if (troubles.size > 0) return nowMs() - sinceMs >= patienceMs ? reason : undefined;
    if (!recurring || overMs - sinceMs < patienceMs) return undefined;
    const quietS = Math.floor((nowMs() - overMs) / 1000);
    return `${reason} (not for ${quietS} s, and it came back before: over after ${calmMs / 1000} s)`;
  };

  return {
    get state(): DependencyState {
      for (const [name, cause] of causes) {
        if (isPast(cause)) causes.delete(name);
        const reason = reasonOf(cause);
        if (reason !== undefined && !isPast(cause)) return { ready: false, reason };
      }
      return { ready: true };
    },
    note(trouble, reason, name = trouble) {
      const known = causes.get(name);
      const lasting = known && !isPast(known) ? known : undefined;
      if (known && !lasting) causes.delete(name);
      const fresh = { reason, troubles: new Set(), sinceMs: nowMs(), overMs: 0, recurring: false };
      const cause = lasting ?? fresh;
      if (lasting && lasting.troubles.size === 0) lasting.recurring = true;
      causes.set(name, cause);
      cause.reason = reason;
      cause.troubles.add(trouble);
      const isNew = !causeOf.has(trouble);
      causeOf.set(trouble, name);
      return isNew;
    },
    forget(trouble) {
      const name = causeOf.get(trouble);
      const cause = causes.get(name);
      if (!causeOf.delete(trouble) || !cause) return false;
      cause.troubles.delete(trouble);
      cause.overMs = nowMs();
      if (isPast(cause)) causes.delete(name);
      return true;
    },
  };
}
