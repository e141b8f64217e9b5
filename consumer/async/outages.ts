import type { Clock, DependencyState } from "#consumer/ports.ts";

/** The outages of the present, grouped by cause. Not ready while any of them lasts. */
export interface Outages {
  /** Not ready, with the reason of the oldest cause, while any outage lasts. */
  readonly state: DependencyState;
  /**
   * Begins an outage, or changes its reason. `cause`: what it shares with others; default itself. True when it is new.
   */
  note(outage: unknown, reason: string, cause?: unknown): boolean;
  /** True when there was one. */
  forget(outage: unknown): boolean;
}

interface OutagesOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** A cause makes unready when it has lasted for so long. Default 0. */
  readonly patienceMs?: number;
  /**
   * A cause that comes back within this time is one that lasts: it is over when it stayed away for as long. Default 0.
   */
  readonly quietMs?: number;
}

interface Cause {
  reason: string;
  readonly outages: Set<unknown>;
  /** Monotonic clock. */
  readonly sinceMs: number;
  overMs: number;
  /** It was over, and came back. */
  recurring: boolean;
}

/** `options`: for causes that may come and go. */
export function createOutages(options?: OutagesOptions): Outages {
  const { clock, patienceMs = 0, quietMs = 0 } = options ?? {};
  const nowMs = (): number => clock?.monotonicMs() ?? 0;
  const causes = new Map<unknown, Cause>();
  const causeOf = new Map<unknown, unknown>();

  const isPast = ({ outages, overMs }: Cause): boolean =>
    outages.size === 0 && nowMs() - overMs >= quietMs;

  const reasonOf = ({ reason, outages, sinceMs, overMs, recurring }: Cause) => {
    if (outages.size > 0) return nowMs() - sinceMs >= patienceMs ? reason : undefined;
    if (!recurring || overMs - sinceMs < patienceMs) return undefined;
    const quietS = Math.floor((nowMs() - overMs) / 1000);
    return `${reason} (not for ${quietS} s, and it came back before: over after ${quietMs / 1000} s)`;
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
    note(outage, reason, name = outage) {
      const known = causes.get(name);
      const lasting = known && !isPast(known) ? known : undefined;
      if (known && !lasting) causes.delete(name);
      const fresh = { reason, outages: new Set(), sinceMs: nowMs(), overMs: 0, recurring: false };
      const cause = lasting ?? fresh;
      if (lasting && lasting.outages.size === 0) lasting.recurring = true;
      causes.set(name, cause);
      cause.reason = reason;
      cause.outages.add(outage);
      const isNew = !causeOf.has(outage);
      causeOf.set(outage, name);
      return isNew;
    },
    forget(outage) {
      const name = causeOf.get(outage);
      const cause = causes.get(name);
      if (!causeOf.delete(outage) || !cause) return false;
      cause.outages.delete(outage);
      cause.overMs = nowMs();
      if (isPast(cause)) causes.delete(name);
      return true;
    },
  };
}
