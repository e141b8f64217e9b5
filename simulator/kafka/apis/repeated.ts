/** Returns the first item of every name, in order, and tells whether the request names it again. */
export function mergedByName<T>(
  items: readonly T[],
  nameOf: (item: T) => string | number,
): Merged<T>[] {
  const byName = new Map<string | number, Merged<T>>();
  for (const item of items) {
    const known = byName.get(nameOf(item));
    byName.set(nameOf(item), { first: known?.first ?? item, isRepeated: known !== undefined });
  }
  return [...byName.values()];
}

interface Merged<T> {
  readonly first: T;
  readonly isRepeated: boolean;
}
