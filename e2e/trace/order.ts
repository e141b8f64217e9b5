/** Something that happened to a pod, as one of several observers saw it. */
export interface Moment {
  /** Milliseconds since the epoch, when it was seen. */
  readonly atMs: number;
  /** Its place in a life where everything goes as it should. */
  readonly rank: number;
  readonly words: string;
}

/** What was seen further apart happened in that order; what is closer may only have been noticed in that order. */
export const APART_MS = 2000;

/**
 * Moments in the order in which they happened, as far as their times can tell, else by rank: the first of those that none of the
 * others came before for certain, again and again. A life as it should be comes out the same however late each moment was noticed,
 * up to APART_MS between any two.
 */
export function inOrder(moments: readonly Moment[]): string[] {
  const left = [...moments];
  const words: string[] = [];
  while (left.length > 0) {
    const certainUntilMs = Math.min(...left.map(({ atMs }) => atMs)) + APART_MS;
    const next = left
      .filter(({ atMs }) => atMs <= certainUntilMs)
      .reduce((best, moment) => (isBefore(moment, best) ? moment : best));
    left.splice(left.indexOf(next), 1);
    words.push(next.words);
  }
  return words;
}

function isBefore(left: Moment, right: Moment): boolean {
  return left.rank === right.rank ? left.atMs < right.atMs : left.rank < right.rank;
}
