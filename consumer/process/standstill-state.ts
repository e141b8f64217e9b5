import type { DependencyState, Standstill } from "#consumer/ports.ts";

/** Describes the place of a standstill, such as `incidents/3 at offset 42`. */
function standstillPlace({ topic, partition, offset }: Standstill): string {
  if (partition === undefined) return `topic ${topic}`;
  const place = `${topic}/${String(partition)}`;
  return offset === undefined ? place : `${place} at offset ${String(offset)}`;
}

/**
 * Returns a state that is not ready and names every partition that stands still; undefined when none does. Ready
 * means that every assigned partition is being read. An unready pod keeps its partitions and goes on with the others;
 * it only holds up a rollout, which would otherwise complete over incidents that nobody works on.
 */
export function standstillState(standstills: readonly Standstill[]): DependencyState | undefined {
  if (standstills.length === 0) return undefined;
  const reasons = standstills.map(
    (each) => `${standstillPlace(each)} stands still, ${each.cause}: ${each.detail}`,
  );
  return { ready: false, reason: reasons.join("; ") };
}
