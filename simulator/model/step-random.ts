import { createSeededRandom } from "#fixtures/ports/clock.ts";

/** What one step of a run draws, from a generator of its own: a step that is left out changes nothing that another one draws. */
export interface StepRandom {
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number in [0, limit). */
  below(limit: number): number;
  /** undefined when there is nothing to pick from. */
  pick<T>(values: readonly T[]): T | undefined;
  /**
   * Like `pick`, but by name: what would be chosen among more values is also chosen among fewer, as long as it is there.
   * So a step tends to strike the same pod when the steps before it are not all played.
   */
  choose<T>(values: readonly T[], nameOf: (value: T) => string): T | undefined;
}

/** `label`: what of the run draws from it. */
export function createStepRandom(seed: number, label: string): StepRandom {
  const random = createSeededRandom(hash(seed, label));
  const next = (): number => random.next();
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    pick: (values) => values[below(values.length)],
    choose(values, nameOf) {
      const salt = below(2 ** 32);
      let chosen: (typeof values)[number] | undefined;
      let most = -1;
      for (const value of values) {
        const rank = hash(salt, nameOf(value));
        if (rank <= most) continue;
        most = rank;
        chosen = value;
      }
      return chosen;
    },
  };
}

/** 32 bits of which each depends on all of the text (FNV-1a, with the finalizer of MurmurHash3). */
export function hash(seed: number, text: string): number {
  let word = seed ^ 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    word = Math.imul(word ^ text.charCodeAt(index), 0x01000193);
  }
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
