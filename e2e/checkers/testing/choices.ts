/** Gives a whole number below the limit. 0 is always the plainest choice. */
export type Choose = (limit: number) => number;

/** The choices that the numbers make, one after the other; behind the last of them every choice is 0, so that a shorter list is a plainer history. */
export function choicesOf(numbers: readonly number[]): Choose {
  let next = 0;
  return (limit) => {
    const number = numbers[next] ?? 0;
    next += 1;
    return number % limit;
  };
}
