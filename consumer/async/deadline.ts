import type { Clock } from "#consumer/ports.ts";

/**
 * True when `work` resolved within `durationMs`, false when the time was over first; the work itself goes
 * on then, and its end is nobody's business any more. Rejects as `work` does in time.
 */
export async function endsWithin(
  work: Promise<unknown>,
  durationMs: number,
  clock: Clock,
): Promise<boolean> {
  const ended = new AbortController();
  const inTime = work.then(() => true);
  const late = clock.sleep(durationMs, ended.signal).then(() => false);
  late.catch(() => undefined);
  inTime.catch(() => undefined);
  try {
    return await Promise.race([inTime, late]);
  } finally {
    ended.abort();
  }
}
