/** An event of a pod, as one of several observers saw it. */
export interface Moment {
  /** The time at which it was seen, in milliseconds since the epoch. */
  readonly atMs: number;
  /** The position of the event in a regular life. */
  readonly rank: number;
  readonly words: string;
}

/**
 * Events that were seen further apart than this happened in that order. Events that are closer may only have been
 * noticed in that order.
 */
export const APART_MS = 2000;

/**
 * Returns the words of the moments in the order in which they happened, as far as their times can tell, and otherwise
 * by rank. It repeatedly takes the moment with the lowest rank among those that certainly no other remaining moment
 * preceded. So a regular life comes out the same however late each moment was noticed, up to APART_MS between any two.
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
