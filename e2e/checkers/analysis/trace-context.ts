/** The specification of traceparent allows no parent id of zeros only. */
const NO_PARENT = "0".repeat(16);
const SMALLEST_PARENT = "1".padStart(16, "0");

/** The trace id of a request: the first half of the action's key. */
export function traceIdOf(key: string): string {
  return key.slice(0, 32);
}

/** The parent id of a request: the first half of the nonce of the claim that it rests on. */
export function parentIdOf(nonce: string): string {
  const parent = nonce.slice(0, 16);
  return parent === NO_PARENT ? SMALLEST_PARENT : parent;
}
