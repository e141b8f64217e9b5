/** A repeatable stream of numbers. The same seed gives the same stream on every machine. */
export interface SeededRandom {
  /** Returns a number that is uniform in [0, 1). */
  next(): number;
  /** Returns a whole number in [0, limit). */
  below(limit: number): number;
  /** Returns one of the elements. Throws RangeError when there is none. */
  pick<T>(values: readonly T[]): T;
}

/**
 * Returns the stream of a seed, which is a 32-bit unsigned whole number. `label` separates the streams of one seed:
 * each scenario has a label of its own.
 */
export function seededRandom(seed: number, label = ""): SeededRandom {
  let state = mix(seed >>> 0, label);
  const next = (): number => {
    // This is a Weyl sequence with an avalanche of its counter (splitmix32).
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
