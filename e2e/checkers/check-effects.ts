/** One effect as the action endpoint recorded it. */
export interface RecordedEffect {
  /** The `Idempotency-Key` of the request; null when the request had none. */
  readonly key: string | null;
  readonly atMs: number;
}

/**
 * Checks that each key had at most one effect, and that no effect lacks a key. Returns one finding
 * per violation.
 */
export function checkEffects(effects: readonly RecordedEffect[]): string[] {
  const findings: string[] = [];
  const times = new Map<string, number[]>();
  for (const { key, atMs } of effects) {
    if (key === null || key === "") findings.push(`an effect at ${atMs} has no idempotency key`);
    else times.set(key, [...(times.get(key) ?? []), atMs]);
  }
  for (const [key, at] of times) {
    if (at.length > 1) findings.push(`key ${key} had ${at.length} effects, at ${at.join(", ")}`);
  }
  return findings;
}
