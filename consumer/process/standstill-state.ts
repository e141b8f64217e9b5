import type { DependencyState, Standstill } from "#consumer/ports.ts";

/** `incidents/3 at offset 42`. */
function standstillPlace({ topic, partition, offset }: Standstill): string {
  if (partition === undefined) return `topic ${topic}`;
  const place = `${topic}/${String(partition)}`;
  return offset === undefined ? place : `${place} at offset ${String(offset)}`;
}

/**
 * Not ready, with every partition that stands still; undefined when none does. Ready means that every assigned partition is
 * being read. Being unready takes no partition away from this pod: it goes on with the others, stays alive, and only holds up a
 * rollout, which would otherwise complete over incidents that nobody works on.
 */
export function standstillState(standstills: readonly Standstill[]): DependencyState | undefined {
  if (standstills.length === 0) return undefined;
  const reasons = standstills.map(
    (each) => `${standstillPlace(each)} stands still, ${each.cause}: ${each.detail}`,
  );
  return { ready: false, reason: reasons.join("; ") };
}
