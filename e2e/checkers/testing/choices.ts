/** Returns a whole number below the limit. 0 is always the simplest choice. */
export type Choose = (limit: number) => number;

/**
 * Returns the numbers as choices, one after the other. After the last one every choice is 0, so
 * that a shorter list gives a simpler history.
 */
export function choicesOf(numbers: readonly number[]): Choose {
  let next = 0;
  return (limit) => {
    const number = numbers[next] ?? 0;
    next += 1;
    return number % limit;
  };
}
