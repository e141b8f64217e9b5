/** One effect as the action target recorded it. */
export interface RecordedEffect {
  /** `Idempotency-Key` of the request; null when the request had none. */
  readonly key: string | null;
  readonly atMs: number;
}

/** At most one effect per key, and none without a key. Gives one finding per violation. */
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
