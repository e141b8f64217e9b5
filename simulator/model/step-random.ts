import { createSeededRandom } from "#fixtures/ports/clock.ts";

/**
 * The random draws of one step, from a generator of its own. A step that is left out changes
 * nothing in the draws of the others.
 */
export interface StepRandom {
  /** Draws a number in [0, 1). */
  next(): number;
  /** Draws a whole number in [0, limit). */
  below(limit: number): number;
  /** Draws one of the values, or undefined when there are none. */
  pick<T>(values: readonly T[]): T | undefined;
  /**
   * Draws one of the values by name: the value that is chosen among many is also chosen among
   * fewer, as long as it is there. So a step tends to affect the same pod when not all steps before
   * it are played.
   */
  choose<T>(values: readonly T[], nameOf: (value: T) => string): T | undefined;
}

/** `label` names the part of the run that draws from this generator. */
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

/**
 * Returns a hash of 32 bits, each of which depends on the whole text (FNV-1a with the finalizer of
 * MurmurHash3).
 */
export function hash(seed: number, text: string): number {
  let word = seed ^ 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    word = Math.imul(word ^ text.charCodeAt(index), 0x01000193);
  }
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
