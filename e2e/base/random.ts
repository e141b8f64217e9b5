/** A repeatable stream of numbers: the same seed gives the same stream on every machine. */
export interface SeededRandom {
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number in [0, limit). */
  below(limit: number): number;
  /** One element; throws RangeError when there is none. */
  pick<T>(values: readonly T[]): T;
}

/** Seeds are 32-bit unsigned whole numbers. `label` separates streams of one seed (one per scenario). */
export function seededRandom(seed: number, label = ""): SeededRandom {
  let state = mix(seed >>> 0, label);
  const next = (): number => {
    // Weyl sequence with an avalanche of its counter (splitmix32).
    state = (state + 0x9e3779b9) >>> 0;
    let word = state;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return ((word ^ (word >>> 15)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    pick: (values) => {
      if (values.length === 0) throw new RangeError("pick: there is nothing to pick from");
      return values[below(values.length)]!;
    },
  };
}

function mix(seed: number, label: string): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (const byte of Buffer.from(label)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
